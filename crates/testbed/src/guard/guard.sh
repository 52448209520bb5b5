# Runs "$@" and kills it as soon as standard input ends: the parent holds the other end of that pipe, and the kernel closes it
# when the parent is gone, whatever killed it. The first argument is the file to write the program's process id to.
pidfile=$1
shift
exec 3<&0
"$@" 3<&- </dev/null &
child=$!
echo "$child" >"$pidfile"
{
    while read -r _ <&3; do :; done
    kill -9 "$child"
} 2>/dev/null &
watch=$!
exec 3<&-
wait "$child"
code=$?
kill -9 "$watch" 2>/dev/null
exit "$code"
