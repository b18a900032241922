# A program that runs cannot be written, one that is open for writing cannot be run.
cp /bin/busybox sleep
cp /bin/busybox true
./sleep 2 &
command sleep 1
(echo x >>sleep) 2>&1; echo "append $?"
(: >sleep) 2>&1; echo "open to truncate $?"
truncate -s 0 sleep 2>&1; echo "truncate $?"
(exec 9>>true; ./true 2>&1; echo "run while open for writing $?")
(exec 8<true; ./true; echo "run while open for reading $?")
./true; echo "run $?"
mv sleep other; rm other; echo "remove $?"
wait
