# What the tools say when something is wrong: errnos through the shell's eyes.
cat nothing; cd nothing; ls nothing
mkdir d; mkdir d; rmdir d/..; touch d/f; rmdir d
cat d
echo x >d
cp d e
ln -s loop loop; cat loop
mv d/f d/f/g
./d; ./nothing
echo 'exit 3' >script; ./script; chmod +x script; ./script; echo $?
echo '#!/no/interpreter' >bad; chmod +x bad; ./bad; echo $?
kill -9 99999
cat </nothing
rm nothing
chmod 000 script; su -s /bin/sh nobody -c 'cat script' 2>/dev/null || echo refused
