#!/bin/sh
# Starts the unit by a real systemd: boots the tree that tools/deb-check.sh made, with the package in it,
# by systemd-nspawn, and goes through a unit's life there: start, reload, a reload that is refused, a
# process that hangs and the watchdog that finds it, stop, a configuration that is refused.  Run by
# hand after deb-check.sh, as root; needs systemd-container, and takes some two minutes.
#
#   unit-check.sh DIR
set -eu

dir=${1:?usage: unit-check.sh DIR}
cd "$(dirname "$0")/.."
command -v systemd-nspawn >/dev/null || { echo "unit-check: apt-get install systemd-container" >&2; exit 1; }
cp build/deb/leakwatch_*_*.deb "$dir/root/leakwatch.deb"
rm -rf "$dir/root/recording"
cp -r fixtures/recordings/registry "$dir/root/recording"
chmod -R a+rX "$dir/root/recording"
chroot "$dir" env DEBIAN_FRONTEND=noninteractive sh -c \
	'apt-get install -q -y --no-install-recommends /root/leakwatch.deb systemd dbus >/dev/null 2>&1'
cat >"$dir/etc/leakwatch/leakwatch.yaml" <<'END'
global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs: [{job_name: shop, static_configs: [{targets: ["127.0.0.1:6060"]}]}]
END
cat >"$dir/root/unit-check.sh" <<'END'
#!/bin/sh
exec >/root/unit-check.log 2>&1
is() { [ "$2" = "$3" ] && echo "ok: $1" || echo "FAIL: $1: \"$2\", not \"$3\""; }
show() { systemctl show leakwatch -p "$1" --value; }
is "not enabled, not started" "$(systemctl is-enabled leakwatch) $(systemctl is-active leakwatch)" "disabled inactive"
leakwatch replay --listen 127.0.0.1:6060 --speed 1 /root/recording >/dev/null 2>&1 &
systemctl start leakwatch
is "start waits for READY" "$? $(show ActiveState)" "0 active"
sleep 5
is "STATUS" "$(show StatusText)" "1 of 1 targets up, 0 alerts firing, 0 deliveries owed"
pid=$(show MainPID)
sed -i 's/job_name: shop/job_name: renamed/' /etc/leakwatch/leakwatch.yaml
systemctl reload leakwatch
is "reload" "$? $(show ActiveState) $(show MainPID)" "0 active $pid"
sleep 3
is "it watches what is configured now" "$(leakwatch targets --format json | grep -c renamed)" 1
echo "nonsense: 1" >>/etc/leakwatch/leakwatch.yaml
systemctl reload leakwatch
sleep 1
is "a wrong configuration leaves the old one" "$(journalctl -b -u leakwatch -o cat | grep -c 'reload refused') $(show MainPID)" "1 $pid"
sed -i '$d' /etc/leakwatch/leakwatch.yaml
kill -s STOP "$pid"
n=0
while [ $n -lt 100 ] && [ "$(show NRestarts)" = 0 ]; do sleep 1; n=$((n + 1)); done
echo "the watchdog acted after $n s"
sleep 8
is "one that hangs is started again" "$(show NRestarts) $(show ActiveState)" "1 active"
systemctl stop leakwatch
is "stop" "$? $(show Result) $(show ExecMainStatus)" "0 success 0"
echo "nonsense: 1" >>/etc/leakwatch/leakwatch.yaml
systemctl start leakwatch
sleep 7
is "one that is refused is not tried again" "$(show ActiveState) $(show ExecMainStatus) $(show NRestarts)" "failed 78 0"
echo complete
systemctl poweroff
END
cat >"$dir/etc/systemd/system/unit-check.service" <<'END'
[Unit]
After=basic.target
[Service]
Type=oneshot
ExecStart=/bin/sh /root/unit-check.sh
TimeoutStartSec=300
END
mkdir -p "$dir/etc/systemd/system/multi-user.target.wants"
ln -sf ../unit-check.service "$dir/etc/systemd/system/multi-user.target.wants/unit-check.service"
timeout 300 systemd-nspawn -q --register=no --keep-unit --private-network -D "$dir" /lib/systemd/systemd \
	multi-user.target >"$dir/root/boot.log" 2>&1 || :
cat "$dir/root/unit-check.log"
grep -qx complete "$dir/root/unit-check.log" && ! grep -q '^FAIL' "$dir/root/unit-check.log"
