# One script for every shell: pipelines, redirections, here-documents, $( ), traps, background jobs,
# wait.  What it prints must be the same under all of them, on Tern and on Linux.  It uses only what
# POSIX has and the tools of the guest; tools/try-shells runs it under Debian's shells.
say() {
	echo "== $*"
}

say pipelines
seq 1 20 | grep 1 | wc -l | tr -d ' '
for i in 1 2 3; do echo $i; done | sort -r | tr '\n' ' '; echo
echo one two | (read a b; echo "$b $a")
false | true; echo "status $?"
true | false; echo "status $?"
! true; echo "not $?"
seq 1 1000 | head -n 2 | tail -n 1
echo abc | cat | cat | cat | sed s/b/B/

say redirections
echo first >f; echo second >>f; cat <f
{ echo out; echo err >&2; } 2>&1 | sort
{ echo out; echo err >&2; } 2>/dev/null
ls /nothing 2>/dev/null || echo "ls failed"
exec 4>g; echo via four >&4; exec 4>&-; cat g
exec 5<f; read x <&5; read y <&5; exec 5<&-; echo "$x, $y"
echo both >h 2>&1; cat h
: >empty; [ -s empty ] || echo empty
echo over >f; cat f
(echo sub >&3) 3>i; cat i

say here-documents
cat <<END
plain $((6 * 7)) $(echo substituted)
	tab \$escaped
END
cat <<'END'
quoted $((6 * 7)) $(echo not)
END
cat <<-END
	stripped
	END
while read -r line; do echo "[$line]"; done <<END
one
two words
END

say substitution
x=$(printf 'p q r'); set -- $x; echo "$# $2"
echo "$(echo "nested $(echo deeper)")"
x=$(exit 3); echo $?
n=$(seq 1 200 | wc -l); echo $((n + 1))
echo "${undefined:-default} ${x:+set}${x:-empty}"
path=/a/b/c.d; echo "${path##*/} ${path%/*} ${path%.d}"

say control
i=0
while [ $i -lt 5 ]; do
	i=$((i + 1))
	[ $i = 2 ] && continue
	[ $i = 4 ] && break
	echo "i $i"
done
case hello in h*o) echo matched;; *) echo not;; esac
f() { return $1; }
f 5; echo "f $?"
if f 0; then echo yes; fi
until f 0; do :; done
(exit 9); echo "subshell $?"
eval 'echo evaluated'
for x in a 'b c' d; do printf '<%s>' "$x"; done; echo
echo $((7 / 2)) $((-7 % 3)) $((1 << 10)) $((0x10))

say traps
(trap 'echo on exit' 0; echo before)
sh -c 'trap "echo caught; exit 4" TERM; kill -TERM $$; echo not reached'; echo "trap $?"
sh -c 'trap "" TERM; kill -TERM $$; echo ignored'
trap 'echo usr1' USR1
kill -USR1 $$
trap '' USR2
kill -USR2 $$
trap - USR1 USR2
echo "after traps"

say jobs
sleep 0.05 & wait $!; echo "slept $?"
(exit 6) & wait $!; echo "job $?"
(echo from the background >k) & wait; cat k
/bin/sleep 100 & p=$!
sleep 0.1 # a signal to a shell that has not yet become sleep may be caught there
{ kill $p; wait $p; } 2>/dev/null; echo "killed $?"
for i in 1 2 3; do (echo $i >job.$i) & done; wait; cat job.1 job.2 job.3
{ sleep 0.05; echo late; } | cat &
wait
yes 2>/dev/null | head -n 1

say done
exit 3
