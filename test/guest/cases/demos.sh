# The demos' plain lines, which are the same on every system; demos.exp looks at the others.
# timeout: 120
demos | sed 's/ .*//' | tr '\n' ' '
echo
for demo in $(demos | sed 's/ .*//'); do
	$demo >out
	echo "status $?"
	grep -v '^#' out
	$demo -h | grep -c .
done
demos A1 v2_address_format nothing >out 2>&1
echo "status $?"
grep -v '^#' out | grep -e ok -e 'no demo'
demos all >out
echo "status $?"
tail -n 1 out
