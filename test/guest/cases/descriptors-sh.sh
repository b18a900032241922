# Names of descriptors: /dev/fd, /dev/stdin, /dev/stdout, /dev/stderr, /proc/self/fd.
echo to-stdout >/dev/stdout
echo to-stdout | cat >/dev/stdout
echo to-stderr 2>&1 >/dev/stderr
echo in | cat /dev/stdin
echo in | cat /dev/fd/0
echo five 5>f >&5; cat f
exec 6<f; cat /dev/fd/6; exec 6<&-
ls -l /dev/fd/ 2>/dev/null | grep -c ' -> '
ls -l /dev/fd/ 2>/dev/null </dev/null | awk '$9 == "0" { print $9, $10, $11 }'
ls /proc/self/fd | tr '\n' ' '; echo
ls -ld /dev/null | cut -c1
cat /dev/fd/9 2>/dev/null || echo 'no 9'
echo both | tee /dev/stderr 2>&1 | cat
readlink /proc/self/exe
cat /proc/self/comm
