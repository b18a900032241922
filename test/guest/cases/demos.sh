# The demos' plain lines, which are the same on every system; demos.exp looks at the others.
for demo in v1_same_address a1_fork_same a2_fork_differs a4_cow_steps; do
	$demo | grep -v '^#'
	$demo >/dev/null; echo "status $?"
	$demo -h | head -n 1
done
