#!/bin/sh
# Installs what test-real runs, where it is missing: on Debian, as root. Safe to run again. The services that come with
# the packages are not started. Each part that cannot be had is named, with the reason, and the exit status is 1.
set -u

log=$(mktemp) && trap 'rm -f "$log"' EXIT
missing=0
updated=
policy=/usr/sbin/policy-rc.d

lacks() { ! PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null 2>&1; }

cannot() { # PROGRAM REASON
	echo "cannot install $1: $2" >&2
	missing=1
}

# debian installs PACKAGES as the home of PROGRAM.
debian() { # PROGRAM PACKAGES...
	program=$1
	shift
	lacks "$program" || return 0
	[ "$(id -u)" = 0 ] || { cannot "$program" "this is not root; as root: apt-get install $*"; return; }
	! lacks apt-get || { cannot "$program" "this is not Debian (no apt-get); install $* in its way"; return; }
	if [ -z "$updated" ]; then
		apt-get update -q >"$log" 2>&1 || echo "apt-get update failed, the old lists are used: $(tail -n 1 "$log")" >&2
		updated=yes
	fi
	echo "installing $program ($*)"
	quietly env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends -o DPkg::Lock::Timeout=300 "$@" ||
		{ cannot "$program" "apt-get install $*: $(grep '^E:' "$log" | tr '\n' ' ')"; return; }
	! lacks "$program" || cannot "$program" "it is not among what apt-get install $* brings"
}

# quietly runs an installation that starts no service: what is installed is for the tests only.
quietly() {
	ours=
	[ -e "$policy" ] || { printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy" && ours=yes; }
	trap '[ -z "$ours" ] || rm -f "$policy"; rm -f "$log"' EXIT
	"$@" >"$log" 2>&1
	status=$?
	[ -z "$ours" ] || rm -f "$policy"
	ours=
	return $status
}

debian curl curl
debian python3 python3
debian nginx nginx-light
debian redis-server redis-server
debian pg_ctlcluster postgresql
debian dockerd docker.io
debian node nodejs
debian npm npm
if lacks pm2; then
	echo "installing pm2"
	if lacks npm; then
		cannot pm2 "npm is missing"
	else
		npm install --global --no-fund --no-audit pm2 >"$log" 2>&1 || cannot pm2 "npm install --global pm2: $(grep -m 3 -i 'err' "$log" | tr '\n' ' ')"
	fi
fi
exit $missing
