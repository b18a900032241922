# Pipelines, redirections, here-documents, substitution.
seq 1 20 | grep 1 | wc -l
echo one >f; echo two >>f; cat f
cat <<END
here $(echo doc)
END
(echo a; echo b >&2) 2>&1 | sort -r
x=$(printf 'p q r'); set -- $x; echo $# "$2"
ls nothing 2>/dev/null || echo "status $?"
false; echo $?
for i in 1 2 3; do echo $i; done | tr '\n' ' '
exit 3
