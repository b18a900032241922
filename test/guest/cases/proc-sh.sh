# /proc as the usual tools see it.
grep -q '^MemTotal: *[0-9]* kB' /proc/meminfo && echo meminfo
ps | grep -q PID && echo ps
ps -o pid,comm | awk '$1 == 1 { print "init is there" }'
test "$(cat /proc/uptime | wc -w)" = 2 && echo uptime
free | grep -q Mem && echo free
top -b -n 1 | grep -q PID && echo top
mount | grep -q ' / ' && echo mount
uptime | grep -q load && echo load
grep -c processor /proc/cpuinfo >/dev/null && echo cpuinfo
sh -c 'cat /proc/$$/status' | grep '^Name'
sleep 5 & until grep -q '^sleep' /proc/$!/cmdline; do :; done
ps | grep -q '[s]leep 5' && echo 'sleep seen'; kill $!
