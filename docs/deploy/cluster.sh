#!/usr/bin/env bash
# A whole cluster on one machine, to look at or to test: two web processes behind nginx, four workers, two clocks.
#
#   export WAYPOST_DATABASE_URL=postgresql+psycopg://waypost@127.0.0.1/waypost
#   export WAYPOST_QUEUE_URL=redis://127.0.0.1:6379/0      # or postgresql://…, the same server
#   export WAYPOST_SECRET_KEYS=…                           # every process needs the same
#   docs/deploy/cluster.sh
#
# nginx listens on WAYPOST_PORT (8080), the web processes on the two ports above it. Ctrl-C ends all of them; what is
# on its way to Meta is settled first.
set -euo pipefail
: "${WAYPOST_DATABASE_URL:?give the address of a PostgreSQL database}"
: "${WAYPOST_QUEUE_URL:?give the address of a Redis or of a PostgreSQL}"
: "${WAYPOST_SECRET_KEYS:?give the key that seals secrets: every process needs the same}"
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
python=${PYTHON:-$root/.venv/bin/python}
port=${WAYPOST_PORT:-8080}
folder=$(mktemp -d)
chmod 755 "$folder"  # nginx's own processes may be another user's
children=()

stop() {
    trap '' INT TERM
    kill -TERM "${children[@]}" 2> /dev/null || true
    wait
    rm -rf "$folder"
}
trap stop EXIT
trap 'exit 0' INT TERM

start() {
    "$@" &
    children+=($!)
}

cat > "$folder/nginx.conf" << NGINX
daemon off;
pid $folder/nginx.pid;
error_log stderr warn;
events {}
http {
    access_log off;
    client_body_temp_path $folder/body;
    proxy_temp_path $folder/proxy;
    fastcgi_temp_path $folder/fastcgi;
    uwsgi_temp_path $folder/uwsgi;
    scgi_temp_path $folder/scgi;
    client_max_body_size 4m;
    map \$http_upgrade \$connection_upgrade {
        default upgrade;
        ''      close;
    }
    # A signed-in browser always meets the same web process: its open pages live there.
    map \$http_cookie \$browser {
        default \$remote_addr;
        "~waypost_session=(?<session>[^;]+)" \$session;
    }
    upstream waypost {
        hash \$browser consistent;
        server 127.0.0.1:$((port + 1)) fail_timeout=2s;
        server 127.0.0.1:$((port + 2)) fail_timeout=2s;
    }
    server {
        listen 127.0.0.1:$port;
        location / {
            proxy_pass http://waypost;
            proxy_http_version 1.1;
            proxy_set_header Host \$http_host;
            proxy_set_header X-Forwarded-For \$remote_addr;
            proxy_set_header Upgrade \$http_upgrade;
            proxy_set_header Connection \$connection_upgrade;
            proxy_read_timeout 1h;
            proxy_buffering off;
        }
    }
}
NGINX

export WAYPOST_TRUSTED_PROXIES=127.0.0.1
"$python" "$root/main.py" migrate
for number in 1 2; do
    WAYPOST_PORT=$((port + number)) start "$python" "$root/main.py" web
    start "$python" "$root/main.py" clock
done
for _ in 1 2 3 4; do
    start "$python" "$root/main.py" worker
done
start nginx -c "$folder/nginx.conf" -e stderr
echo "Waypost comes up at http://127.0.0.1:$port"
wait
