# Busybox's applets on files: text tools, archives, finding, sums.
seq 1 2000 | md5sum
seq 1 2000 | sha256sum | cut -c1-16
seq 100 | awk '{ s += $1 } END { print s, NR }'
printf 'a 1\nb 2\na 3\n' | awk '{ n[$1] += $2 } END { for (k in n) print k, n[k] }' | sort
seq 1 10 | sed -n '3,5p;/9/s/9/nine/p'
printf 'one\ntwo\nthree\n' | grep -n 'o$\|^th'
printf 'x\ny\n' | sed 's/x/&&/;y/y/z/'
printf 'b\na\nc\na\n' | sort | uniq -c | tr -s ' '
echo hello | tr a-z A-Z | rev
printf '%s\n' 3 1 2 | sort -n | tail -n 1
mkdir -p tree/a/b tree/c
for f in tree/one tree/a/two tree/a/b/three; do echo "$f" >$f; done
find tree | sort
find tree -type f | wc -l | tr -d ' '
find tree -name '*o*' -type f -exec cat {} \; | sort
tar cf t.tar tree && rm -r tree && tar xf t.tar && cat tree/a/b/three
tar tf t.tar | sort
gzip -c t.tar | gunzip | cmp - t.tar && echo same
cp -r tree copy && diff -r tree copy && echo equal
mv copy moved && ls moved
ln -s one tree/link && readlink tree/link && cat tree/link
ln tree/one tree/hard && stat -c '%h %s %F' tree/hard
chmod 640 tree/one && stat -c '%a' tree/one
touch -d '2020-01-02 03:04:05' tree/one && stat -c '%Y' tree/one
dd if=/dev/zero of=zeros bs=1k count=300 2>/dev/null; wc -c <zeros | tr -d ' '
od -c -A n tree/one | tr -s ' '
printf 'abc' | od -A n -t x1 | tr -d ' '
seq 1 5 | xargs echo
seq 1 3 | xargs -n 1 echo item
basename /a/b.c .c; dirname /a/b.c
expr 6 \* 7; [ 3 -lt 10 ] && echo less
printf 'a:b:c\n' | cut -d: -f2
seq 1 10 | paste -s -d+ | tee sum
test -d tree && test ! -e nothing && echo there
echo 'obase=16; 255' | bc 2>/dev/null || echo 'no bc'
date -u -d @86400 +%F
head -c 5 /dev/zero | wc -c | tr -d ' '
cat /dev/null | wc -l | tr -d ' '
head -c 100 /dev/urandom | wc -c | tr -d ' '
echo text >/dev/full 2>/dev/null || echo 'no space'
rm -rf tree moved && ls
true; echo $?; false; echo $?
sleep 0.01; usleep 100; echo slept
which cat >/dev/null && echo found
id -u; whoami
env -i A=b env
(ulimit -n 50; ulimit -n)
du -s . >/dev/null && echo measured
yes n | head -n 3 | tr -d '\n'; echo
seq 1 100000 | tail -n 1
mkfifo p; (echo through >p &); cat p
