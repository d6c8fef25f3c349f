# Tries on this node what experiments need of its kernel and of this image. Each line: a name, then "ok" or why not.
tell() {
  name=$1
  shift
  if said=$("$@" 2>&1); then echo "$name ok"; else echo "$name $(echo "$said" | tr -s '\n' ' ' | cut -c1-160)"; fi
}

# In a network of its own, so that nothing is left behind.
alone() {
  unshare --net sh -ec "$1"
}

program() {
  test -x "$1" || { echo "the image has no $1"; return 1; }
}

toda() {
  program /usr/local/bin/toda && { test -e /dev/fuse || { echo "the node has no /dev/fuse"; return 1; }; }
}

byteman() {
  test -f "${BYTEMAN_HOME:-/usr/local/byteman}/lib/byteman.jar" || { echo "the image has no byteman.jar"; return 1; }
}

{
  tell netem alone 'tc qdisc add dev lo root netem delay 1ms'
  tell prio alone 'tc qdisc add dev lo root handle 1: prio; tc qdisc add dev lo parent 1:1 sfq'
  tell tbf alone 'tc qdisc add dev lo root tbf rate 1mbit limit 20000 buffer 10000'
  tell ipset alone 'ipset create probe hash:net; iptables -A INPUT -m set --match-set probe src -j DROP'
  tell tproxy program /usr/local/bin/tproxy
  tell toda toda
  tell byteman byteman
} | tee /dev/termination-log
