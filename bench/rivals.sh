# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# The ways to copy a snapshot that a user has anyway: rsync, nginx and curl, braft's
# get_file. Sourced after lib.sh. The caller sets
#
#   source_dir   the snapshot's files as the servers see them
#   server_ip    where they listen
#   server_in, client_in   commands in front of every server and client: a namespace, or ()
#
# shellcheck disable=SC2154 # lib.sh and the caller set them
server_in=()
client_in=()

start_rsync() {
	rsync_port=$(free_port)
	cat >"$dir/rsyncd.conf" <<-EOF
		port = $rsync_port
		use chroot = no
		$([ "$(id -u)" != 0 ] || printf 'uid = 0\ngid = 0')
		[snapshot]
		path = $source_dir
		read only = yes
	EOF
	background "$dir/rsyncd.log" "${server_in[@]}" rsync --daemon --no-detach \
		--config "$dir/rsyncd.conf" --log-file "$dir/rsyncd.log"
	rsync_pid=$!
	wait_for 10 rsync_answers || fail "rsync does not serve: $(cat "$dir/rsyncd.log")"
}
rsync_answers() {
	"${client_in[@]}" rsync "rsync://$server_ip:$rsync_port/snapshot/" --list-only
}
copy_rsync() { # TO
	"${client_in[@]}" rsync -a --whole-file --no-compress \
		"rsync://$server_ip:$rsync_port/snapshot/" "$1/"
}

start_nginx() {
	nginx_port=$(free_port)
	mkdir -p "$dir/nginx"
	cat >"$dir/nginx/nginx.conf" <<-EOF
		daemon off;
		worker_processes 1;
		$([ "$(id -u)" != 0 ] || echo 'user root;')
		pid $dir/nginx/pid;
		error_log $dir/nginx/error.log;
		events { worker_connections 64; }
		http {
			access_log off;
			sendfile on;
			tcp_nopush on;
			keepalive_requests 1000000;
			client_body_temp_path $dir/nginx/body;
			proxy_temp_path $dir/nginx/proxy;
			fastcgi_temp_path $dir/nginx/fastcgi;
			uwsgi_temp_path $dir/nginx/uwsgi;
			scgi_temp_path $dir/nginx/scgi;
			server {
				listen $server_ip:$nginx_port;
				root $source_dir;
			}
		}
	EOF
	background "$dir/nginx/log" "${server_in[@]}" nginx -p "$dir/nginx" \
		-e "$dir/nginx/error.log" -c "$dir/nginx/nginx.conf"
	nginx_pid=$!
	find "$source_dir" -type f -printf '%P\n' >"$dir/nginx/names"
	wait_for 10 nginx_answers || fail "nginx does not serve: $(cat "$dir/nginx/error.log")"
}
nginx_answers() {
	"${client_in[@]}" curl -sf -o /dev/null -r 0-0 \
		"http://$server_ip:$nginx_port/$(head -n 1 "$dir/nginx/names")"
}
# One after the other on one connection: on these links that was never slower than -Z.
copy_curl() { # TO
	sed "s|.*|url = \"http://$server_ip:$nginx_port/&\"\noutput = \"$1/&\"|" \
		"$dir/nginx/names" >"$dir/nginx/list"
	"${client_in[@]}" curl -sf --create-dirs -K "$dir/nginx/list"
}

copy_getfile() { # TO: from the node $leader; prints nothing
	"${client_in[@]}" "$build/bench/getfile" "$leader" g "$1" >"$dir/getfile.s"
}

stop_rivals() {
	stop "$rsync_pid" 3 || true
	stop "$nginx_pid" 3 || true
}

# Copies into $dir/to, and records rate and CPU. Run 0 warms up: it is compared with the
# source and not recorded. Subjects take turns, a run each, so that what else goes on in the
# machine meets all of them. A copy without a server has - for it.
measure_copy() { # RUN CASE SUBJECT BYTES SERVER_PID|- FUNCTION
	local start seconds cpu
	rm -rf "$dir/to"
	mkdir "$dir/to"
	warm_for "$source_dir"
	cpu=$(calc "$(cpu_of "$5") + $(cpu_of_shell $$)")
	start=$(now)
	"$6" "$dir/to" || fail "$3 could not copy $2"
	seconds=$(calc "$(now) - $start")
	cpu=$(calc "$(cpu_of "$5") + $(cpu_of_shell $$) - $cpu")
	if [ "$1" = 0 ]; then
		diff -r -x __raft_snapshot_meta "$source_dir" "$dir/to" ||
			fail "$3 copied something else"
	else
		record "$2" "$3" Gb/s "$(gbps "$4" "$seconds")"
		record "$2" "$3 CPU" core-s/GiB "$(calc "$cpu * 2^30 / $4")"
	fi
	rm -rf "$dir/to"
}
