# Waits until standard input ends, then removes the folder "$1": the state of a testbed whose process was killed. The
# programs in it may take a moment to die, and write meanwhile.
while read -r _; do :; done
for _ in 1 2 3 4 5 6 7 8 9 10; do
    rm -rf "$1" 2>/dev/null && exit 0
    sleep 0.2
done
