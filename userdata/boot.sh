#!/usr/bin/env bash
# Sets up the service, or abandons the instance's launch and logs why. May be run again.
# Settings are ITEMS_* variables without secrets: in the environment, or as ITEMS_NAME='value' in place of:
# @settings
set -Eeuo pipefail # tabs below: user data is limited to 16 KB

for name in REGION SETTINGS IMAGE BINARY_URL BINARY_SHA256 SECRET_ID DB_HOST DB_PORT DB_NAME GROUP LAUNCH_HOOK \
	AGENT_PARAMETER; do
	name=ITEMS_$name
	: "${!name:=}"
done
: "${ITEMS_ENVIRONMENT:=dev}" "${ITEMS_VERSION:=unknown}" "${ITEMS_PORT:=5001}"
: "${ITEMS_MEMORY:=512M}" "${ITEMS_FILES:=20000}"
: "${ITEMS_CERTIFICATES_URL:=https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem}"
# Limits in seconds. BOOT covers all but HOOK; their sum must be below the launch hook's timeout.
: "${ITEMS_BOOT_SECONDS:=800}" "${ITEMS_IDENTITY_SECONDS:=60}" "${ITEMS_FETCH_SECONDS:=300}"
: "${ITEMS_SECRET_SECONDS:=60}" "${ITEMS_READY_SECONDS:=300}" "${ITEMS_HOOK_SECONDS:=60}"

export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null
readonly imds=${AWS_EC2_METADATA_SERVICE_ENDPOINT:-http://169.254.169.254} pause_seconds=1 drain_seconds=50
readonly binary=/usr/local/bin/items libexec=/usr/local/libexec/items state=/var/lib/items-boot
readonly units=/etc/systemd/system env=/etc/items/items.env pem=/etc/items/certificates/rds.pem
readonly log=/var/log/items/items.log
readonly plain='[A-Za-z0-9_.,:/@!+=~-]*' # needs no quoting in a shell, systemd or Docker
step=start reason='' instance='' zone='' work='' words='' image='' boot_end=0 left=0 limit=''
declare -A service=()

say() { printf '%s items-boot: %s: %s\n' "$(date -u +%FT%TZ)" "$step" "$*" >&3; }

fail() {
	reason=$*
	exit 1
}

# Repeats a command until it succeeds or time is over. `left`: seconds; `words`: its last output.
retry() {
	limit=ITEMS_$1_SECONDS
	local end=$((SECONDS + limit)) said
	((end < boot_end)) || end=$boot_end limit=ITEMS_BOOT_SECONDS
	words=''
	while left=$((end - SECONDS)) && ((left > 0)); do
		if "${@:2}" >"$work/words" 2>&1; then return 0; fi
		said=$(tail -c 600 "$work/words" | tr -cs '[:print:]' ' ')
		words=${said:-$words}
		sleep "$pause_seconds"
	done
	return 1
}

try() { retry "$@" || fail "$limit are over: $words"; }

limited() { timeout --kill-after=5 "$left" "$@"; }

# Writes PATH with MODE, unless its content is the same.
put() {
	cat >"$work/new"
	if cmp --silent "$work/new" "$1"; then return 0; fi
	install -D --mode="$2" "$work/new" "$1.new"
	mv "$1.new" "$1"
}

# Installs PACKAGE if there is no COMMAND.
need() {
	if command -v "$1" >/dev/null; then return 0; fi
	command -v dnf >/dev/null || fail "there is no $1, and no dnf to install it"
	try FETCH limited dnf install --assumeyes --quiet "$2"
}

fetch() {
	case $1 in
		s3:*) limited aws s3 cp --only-show-errors "$1" "$2" ;;
		*) limited curl -qfsS --location --proto '=https,file' --output "$2" "$1" ;;
	esac
}

# The token is passed on stdin: all users can read arguments.
metadata() {
	printf 'header = "X-aws-ec2-metadata-token: %s"\n' "$token" |
		curl -qfsS --max-time 2 --config - "$imds/latest/meta-data/$1"
}

identify() {
	token=$(curl -qfsS --max-time 2 --request PUT --header 'X-aws-ec2-metadata-token-ttl-seconds: 300' \
		"$imds/latest/api/token") && instance=$(metadata instance-id) && zone=$(metadata placement/availability-zone) &&
		ITEMS_REGION=${ITEMS_REGION:-$(metadata placement/region)}
}

is_launched() { [[ $(cat $state/launched 2>/dev/null) == "${instance:-?}" ]]; }

answer_hook() {
	limited aws autoscaling complete-lifecycle-action --region "$ITEMS_REGION" --auto-scaling-group-name "$ITEMS_GROUP" \
		--lifecycle-hook-name "$ITEMS_LAUNCH_HOOK" --instance-id "$instance" --lifecycle-action-result "$1"
}

finish() {
	local status=$? line="failed: $reason"
	trap - ERR EXIT
	set +e
	if ((status)); then
		# cloud-init stores it too.
		instance=${instance:-$(cat /var/lib/cloud/data/instance-id)}
		boot_end=$((SECONDS + ITEMS_HOOK_SECONDS))
		# Before the answer, which ends the instance: the agent still sends this line.
		[[ -z $ITEMS_LAUNCH_HOOK ]] || say "gives up: $reason"
		if [[ -z $ITEMS_LAUNCH_HOOK ]] || is_launched; then
			line+='; no launch waits'
		elif retry HOOK answer_hook ABANDON; then
			line+='; the launch got ABANDON'
		else
			line+="; the launch has to time out: $words"
		fi
		say "$line"
		logger --tag items-boot --priority user.err -- "$step: $line"
	fi
	rm -rf "$work"
	exit "$status"
}

check_settings() {
	local name word
	[[ "$ITEMS_IMAGE $ITEMS_BINARY_URL" =~ ^\ *[^\ ]+\ *$ ]] || fail 'not one of ITEMS_IMAGE and ITEMS_BINARY_URL is given'
	[[ -z $ITEMS_BINARY_URL || $ITEMS_BINARY_SHA256 =~ ^[0-9a-f]{64}$ ]] || fail 'ITEMS_BINARY_SHA256 is not a SHA-256'
	[[ -n $ITEMS_SECRET_ID ]] || fail 'no ITEMS_SECRET_ID'
	[[ -z $ITEMS_LAUNCH_HOOK || -n $ITEMS_GROUP ]] || fail 'no ITEMS_GROUP'
	for name in ENVIRONMENT VERSION REGION PORT SECRET_ID DB_HOST DB_PORT DB_NAME MEMORY FILES; do
		name=ITEMS_$name
		[[ ${!name} =~ ^$plain$ ]] || fail "$name is not plain text"
	done
	service=([ENVIRONMENT]=$ITEMS_ENVIRONMENT [PORT]=$ITEMS_PORT [DB_SSLMODE]=verify-full [DB_SSLROOTCERT]=$pem
		[DB_HOST]=$ITEMS_DB_HOST [DB_PORT]=$ITEMS_DB_PORT [DB_NAME]=$ITEMS_DB_NAME [HEALTH_DB_GRACE_MS]=180000
		[DRAIN_DELAY_MS]=5000 [AWS_EC2_METADATA_SERVICE_ENDPOINT]=$imds [AWS_ENDPOINT_URL]=${AWS_ENDPOINT_URL:-})
	for word in $ITEMS_SETTINGS; do
		name=${word%%=*}
		[[ $word =~ ^[A-Z][A-Z0-9_]*=$plain$ ]] || fail "ITEMS_SETTINGS: $name is not NAME=value in plain text"
		case $name in
			*PASSWORD | DB_SECRET_ID | AWS_*KEY* | AWS_*TOKEN* | HOST | PORT) fail "ITEMS_SETTINGS must not hold $name" ;;
		esac
		service[$name]=${word#*=}
	done
	[[ ${service[DB_SSLMODE]} != disable ]] || unset 'service[DB_SSLROOTCERT]'
	url=http://127.0.0.1:$ITEMS_PORT${service[BASE_PATH]:-}/health
}

# An image with DB_SSLROOTCERT contains certificates whose hash its build checked; it needs no others.
fetch_certificates() {
	step=certificates
	[[ ${service[DB_SSLROOTCERT]:-} == "$pem" ]] || return 0
	if [[ -n $image && $(docker image inspect --format '{{.Config.Env}}' "$image") == *DB_SSLROOTCERT=/* ]]; then
		unset 'service[DB_SSLROOTCERT]'
		return 0
	fi
	if [[ -s $pem ]]; then return 0; fi
	try FETCH fetch "$ITEMS_CERTIFICATES_URL" "$work/certificates"
	grep --quiet 'BEGIN CERTIFICATE' "$work/certificates" || fail "$ITEMS_CERTIFICATES_URL contains no certificate"
	put $pem 0644 <"$work/certificates"
}

has_sum() { printf '%s  %s\n' "$ITEMS_BINARY_SHA256" "$1" | sha256sum --check --status 2>/dev/null; }

install_binary() {
	step=binary
	if ! has_sum $binary; then
		say "fetching $ITEMS_BINARY_URL"
		try FETCH fetch "$ITEMS_BINARY_URL" "$work/items"
		has_sum "$work/items" || fail "the SHA-256 of $ITEMS_BINARY_URL is not $ITEMS_BINARY_SHA256"
		put $binary 0755 <"$work/items"
	fi
	[[ $($binary --version 2>&1) != *libpq.so* ]] || need libpq libpq
	words=$($binary --version 2>&1) || fail "it does not run here: $words"
}

log_in() {
	limited aws ecr get-login-password --region "$1" | limited docker login --username AWS --password-stdin "$2"
}

prepare_image() {
	step=docker
	# Keeps the credentials on tmpfs.
	export DOCKER_CONFIG=$work/docker
	need docker docker
	systemctl enable --quiet --now docker.service
	step=image
	say "pulling $ITEMS_IMAGE"
	if [[ $ITEMS_IMAGE =~ ^([0-9]+\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.[a-z.]+)/ ]]; then
		try FETCH log_in "${BASH_REMATCH[2]}" "${BASH_REMATCH[1]}"
	fi
	try FETCH limited docker pull --quiet "$ITEMS_IMAGE"
	# By id, so that another image of this name restarts the service.
	image=$(docker image inspect --format '{{.Id}}' "$ITEMS_IMAGE")
}

write_environment() {
	for name in "${!service[@]}"; do
		[[ -z ${service[$name]} ]] || printf '%s=%s\n' "$name" "${service[$name]}"
	done | sort
}

write_unit() {
	local run="ExecStart=$binary serve
WatchdogSec=20" before=''
	if [[ -n $image ]]; then
		before=docker.service
		run="ExecStart=$libexec/container
ExecStop=/usr/bin/env docker stop --time $drain_seconds items
ExecStopPost=-/usr/bin/env docker rm --force items
NotifyAccess=all
WatchdogSec=30
SupplementaryGroups=docker"
	fi
	# After the agent, to stop before it: the agent sends the drain's log lines.
	put $units/items.service 0644 <<UNIT
[Unit]
Description=items $ITEMS_VERSION
Wants=network-online.target $before
After=network-online.target amazon-cloudwatch-agent.service $before
StartLimitIntervalSec=300
StartLimitBurst=20

[Service]
Type=notify
$run
EnvironmentFile=$env
Restart=on-failure
RestartSec=5
RestartPreventExitStatus=78
TimeoutStopSec=60
KillMode=mixed
StandardOutput=append:$log
StandardError=journal
LimitNOFILE=$ITEMS_FILES
LimitCORE=0
TasksMax=128
MemoryMax=$ITEMS_MEMORY
DynamicUser=yes
UMask=0077
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
ProtectHome=yes
ProtectProc=invisible
PrivateDevices=yes
ProtectHostname=yes
ProtectClock=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
UNIT
}

# A container's processes are outside the unit, so the script notifies systemd for them.
write_container() {
	local options=''
	[[ ${service[DB_SSLROOTCERT]:-} != "$pem" ]] || options=" --volume $pem:$pem:ro"
	put $libexec/container 0755 <<SCRIPT
#!/usr/bin/env bash
docker rm --force items >/dev/null 2>&1
docker run --rm --name items --pull never --network host --env-file $env$options \\
	--read-only --cap-drop ALL --security-opt no-new-privileges --memory $ITEMS_MEMORY --memory-swap $ITEMS_MEMORY \\
	--pids-limit 128 --ulimit nofile=$ITEMS_FILES:$ITEMS_FILES --stop-timeout $drain_seconds --log-driver none $image &
while kill -0 \$!; do
	curl -qfs --max-time 5 --output /dev/null $url/live && systemd-notify --ready WATCHDOG=1
	sleep 1
done 2>/dev/null
wait \$!
SCRIPT
}

check_secret() {
	if [[ -n $image ]]; then
		limited docker run --rm --pull never --network host --env-file "$work/env" "$image" secret
	else
		local variables
		mapfile -t variables <"$work/env"
		limited env --ignore-environment "${variables[@]}" $binary secret
	fi
}

install_service() {
	service[INSTANCE_ID]=$instance service[AWS_REGION]=$ITEMS_REGION service[DB_SECRET_ID]=$ITEMS_SECRET_ID
	# Checked first: files are written only if it works.
	write_environment >"$work/env"
	step=secret
	try SECRET check_secret
	step=service
	put $env 0644 <"$work/env"
	[[ -z $image ]] || write_container
	write_unit
}

rotate_log() {
	step=logrotate
	need logrotate logrotate
	[[ -e $log ]] || install -D --mode=0640 /dev/null $log
	put /etc/logrotate.d/items 0644 <<CONF
$log {
	size 100M
	rotate 5
	compress
	copytruncate
	missingok
}
CONF
	# One day's log may fill the disk.
	put $units/logrotate.timer.d/items.conf 0644 <<'CONF'
[Timer]
OnCalendar=*:0/10
AccuracySec=1m
CONF
}

configure_agent() {
	step=agent
	need amazon-cloudwatch-agent-ctl amazon-cloudwatch-agent
	try FETCH limited aws ssm get-parameter --name "$ITEMS_AGENT_PARAMETER"
	cp "$work/words" "$work/agent"
	if ! cmp --silent "$work/agent" $state/agent || ! systemctl --quiet is-active amazon-cloudwatch-agent; then
		try FETCH limited amazon-cloudwatch-agent-ctl -a fetch-config -m ec2 -s \
			-c "ssm:$ITEMS_AGENT_PARAMETER"
		cp "$work/agent" $state/agent
	fi
}

start_service() {
	step=service
	systemctl daemon-reload
	systemctl enable --quiet items.service
	systemctl enable --quiet --now logrotate.timer
	{ cat $units/items* $env $binary $libexec/* 2>/dev/null || true; } | sha256sum >"$work/started"
	if ! cmp --silent "$work/started" $state/started || ! systemctl --quiet is-active items.service; then
		say starting
		# Else is_ready could see the old one.
		systemctl stop items.service
		systemctl reset-failed items.service 2>/dev/null || true
		systemctl start --no-block items.service
		cp "$work/started" $state/started
	fi
}

is_ready() {
	! systemctl --quiet is-failed items.service || fail "items.service ended: $(last_words)"
	curl -qsS --max-time 5 --write-out ' status %{http_code}' "$url/ready" && grep --quiet 'status 200$' "$work/words"
}

last_words() {
	journalctl --lines=4 --output=cat _SYSTEMD_UNIT=items.service |
		tail -c 500 | tr -cs '[:print:]' ' '
}

main() {
	exec 3>&1
	exec 9>/run/items-boot.lock
	flock --nonblock 9 || { say 'another run is at work' && exit 1; }
	boot_end=$((SECONDS + ITEMS_BOOT_SECONDS))
	work=$(mktemp --directory /run/items-boot.XXXXXX)
	trap 'reason=${reason:-line $LINENO, $BASH_COMMAND}' ERR
	trap finish EXIT
	trap 'fail "ended by a signal"' HUP INT TERM
	step=identity
	try IDENTITY identify
	say "$instance in $zone"
	export AWS_DEFAULT_REGION=$ITEMS_REGION
	need aws awscli-2
	need cmp diffutils
	step=settings
	check_settings
	install -d $state
	# First, to send the output of later steps: an instance whose launch fails is terminated at once.
	[[ -z $ITEMS_AGENT_PARAMETER ]] || configure_agent
	if [[ -n $ITEMS_BINARY_URL ]]; then install_binary; else prepare_image; fi
	fetch_certificates
	install_service
	rotate_log
	start_service
	step=ready
	retry READY is_ready || fail "$limit are over: $words $(last_words)"
	say "after $SECONDS s"
	if [[ -n $ITEMS_LAUNCH_HOOK ]] && ! is_launched; then
		step=hook
		try HOOK answer_hook CONTINUE
		printf '%s\n' "$instance" >$state/launched
		say CONTINUE
	fi
}

[[ ${BASH_SOURCE[0]} != "$0" ]] || main
