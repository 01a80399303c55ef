#!/bin/sh
# Installs what test-real runs, where it is missing: on Debian, as root. Safe to run again. The services that come with
# the packages are not started. Each part that cannot be had is named, with the reason, and the exit status is 1.
set -u

policy=/usr/sbin/policy-rc.d # Debian asks it whether a package may start its services
ours=
log=$(mktemp) || exit 1
trap 'rm -f "$log" $ours' EXIT
trap 'exit 130' INT TERM
status=0
lists=old

lacks() { ! PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null 2>&1; }

cannot() { # PROGRAM REASON
	echo "cannot install $1: $2" >&2
	status=1
}

# told is why the command whose output is in the log has failed.
told() {
	why=$(grep -i -m 3 '^E:\|npm err' "$log" || tail -n 1 "$log")
	echo "$why" | tr '\n' ' '
}

debian() { # PROGRAM PACKAGE
	lacks "$1" || return 0
	package "$1" "$2" || return 0
	lacks "$1" && cannot "$1" "apt-get install $2 has not brought it"
}

package() { # PROGRAM PACKAGE
	lacks apt-get && { cannot "$1" "this is not Debian, it has no apt-get; install what Debian calls $2"; return 1; }
	[ "$(id -u)" = 0 ] || { cannot "$1" "this is not root; as root: apt-get install $2"; return 1; }
	echo "installing $2, for $1"
	if [ $lists = old ]; then
		apt-get update -q >"$log" 2>&1 || echo "apt-get update failed, so the lists are old: $(told)" >&2
		lists=new
	fi
	[ -e $policy ] || { printf '#!/bin/sh\nexit 101\n' >$policy && chmod +x $policy && ours=$policy; }
	DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends -o DPkg::Lock::Timeout=300 "$2" >"$log" 2>&1 ||
		{ cannot "$1" "apt-get install $2: $(told)"; return 1; }
}

# kernel is for the virtual machine, where this one has none of its own, as a container.
kernel() {
	set -- /boot/vmlinuz-*
	[ -e "$1" ] || package "a kernel" linux-image-cloud-amd64
}

node() { # PROGRAM, which is also the package
	lacks "$1" || return 0
	lacks npm && { cannot "$1" "npm is missing"; return; }
	echo "installing $1"
	# Without a network npm tries for very long.
	timeout 180 npm install --global --no-fund --no-audit "$1" >"$log" 2>&1
	case $? in
	0) ;;
	124) cannot "$1" "npm install --global $1 does not end" ;;
	*) cannot "$1" "npm install --global $1: $(told)" ;;
	esac
}

debian python3 python3
debian nginx nginx-light
debian wrk wrk
debian redis-server redis-server
debian redis-cli redis-tools
debian pg_ctlcluster postgresql
debian psql postgresql-client
debian dockerd docker.io
debian docker docker.io
debian qemu-system-x86_64 qemu-system-x86
debian cpio cpio
kernel
debian node nodejs
debian npm npm
node pm2
exit $status
