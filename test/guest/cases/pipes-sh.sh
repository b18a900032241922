# Ends of pipelines, in the shell: the reader goes, the writer goes, somebody is killed.
yes | head -1
yes abc | head -c 10000 | wc -c | tr -d ' '
{ (yes; echo "yes: $?" >&2) | head -n 1; } 2>&1
seq 1 1000000 | head -n 1
(sleep 100 & p=$!; kill -9 $p; wait $p; echo "killed: $?") 2>/dev/null
(sh -c 'echo before; kill -9 $$; echo after'; echo "status $?") 2>/dev/null | cat
mkfifo p
(cat p; echo 'reader saw the end') & (echo line >p; wait)
wait
(for i in 1 2 3; do echo $i; sleep 0.02; done) | while read -r n; do echo "got $n"; done
dd if=/dev/zero bs=64k count=40 2>/dev/null | cat | cat | wc -c | tr -d ' '
timeout 1 sh -c 'while :; do :; done'; echo "timeout: $?"
