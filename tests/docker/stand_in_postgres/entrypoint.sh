# What the public image does with POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB: a new data folder, then the server.
set -eu
export PGDATA=/var/lib/postgresql/data
if [ ! -e "$PGDATA/PG_VERSION" ]; then
    initdb --auth=scram-sha-256 --username="$POSTGRES_USER" --pwfile=<(echo "$POSTGRES_PASSWORD") >/dev/null
    echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
    pg_ctl --silent --wait --options="-c listen_addresses= -k /tmp" start
    PGPASSWORD=$POSTGRES_PASSWORD psql -q -h /tmp -U "$POSTGRES_USER" -d postgres -c "CREATE DATABASE \"$POSTGRES_DB\""
    pg_ctl --silent --wait stop
fi
exec postgres -c listen_addresses='*' -k /tmp
