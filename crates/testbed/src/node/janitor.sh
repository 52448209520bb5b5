# Guards what a real node leaves on the machine: "$1" is its folder, "$2" its cgroup, "$3" its network namespace, "$4" the link to it.
# Takes away what a crash has left, says `ready`, waits until standard input ends (the parent holds the other end, and the
# kernel closes it when the parent is gone), and takes away all of it again. One at a time: whoever comes second is told `busy`.
folder=$1 group=$2 namespace=$3 link=$4

# Every process of the node is in its cgroup, so that no other is hit, and no process id is believed.
kill_all() {
    for _ in $(seq 100); do
        found=
        for procs in $(find /sys/fs/cgroup -path "*/$group*" -name cgroup.procs 2>/dev/null); do
            while read -r pid; do
                kill -9 "$pid" 2>/dev/null
                found=1
            done <"$procs" 2>/dev/null
        done
        [ -n "$found" ] || return 0
        sleep 0.1
    done
}

clean() {
    kill_all
    awk -v folder="$folder/" 'index($5, folder) == 1 { print $5 }' /proc/self/mountinfo | sort -r | while read -r mount; do
        umount "$mount" 2>/dev/null || umount -l "$mount" 2>/dev/null
    done
    ip link del "$link" 2>/dev/null
    ip netns del "$namespace" 2>/dev/null
    find /sys/fs/cgroup -depth -type d -path "*/$group*" -exec rmdir {} + 2>/dev/null
    # kubelet has places of its own for these.
    find /var/log/containers -lname "$folder/*" -delete 2>/dev/null
    rm -f /var/lib/kubelet/device-plugins/kubelet.sock
    rmdir /var/lib/kubelet/device-plugins /var/lib/kubelet /var/log/containers 2>/dev/null
    for _ in $(seq 10); do
        rm -rf --one-file-system "$folder" 2>/dev/null && break
        sleep 0.2
    done
}

exec 9>"/run/$group.lock"
if ! flock -n 9; then
    echo busy
    exit 0
fi
clean
echo ready
while read -r _; do :; done
clean
