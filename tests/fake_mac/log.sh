#!/bin/sh
# `log show` of the fake Mac: the records of log.records between --start and --end, then the trailer. With log.do it
# behaves otherwise: hang, die, cut, garbage and flood come after the records, denied and slow before them; back shows the last first.
echo "$*" >> "$0.calls"
if [ "$1" = collect ]; then
    # log collect --output PATH --last 24h, which writes an archive; with log.refuses it does not.
    [ -f "$0.refuses" ] && { echo "log: Must be admin" >&2; exit 77; }
    /bin/mkdir -p "$3/Persist"
    echo "what it holds" > "$3/Info.plist"
    echo "what was logged" > "$3/Persist/0000000000000001.tracev3"
    exit 0
fi
start=0 end=9
while [ $# -gt 0 ]; do
    case "$1" in
        --start) start=${2%+*} ;;
        --end) end=${2%+*} ;;
    esac
    shift
done
behaviour=plain
[ -f "$0.do" ] && read -r behaviour < "$0.do"
[ "$behaviour" = slow ] && /bin/sleep 1
if [ "$behaviour" = denied ]; then
    echo "log: Could not open local log store: Operation not permitted" >&2
    exit 64
fi
/usr/bin/awk -v start="$start" -v end="$end" -v behaviour="$behaviour" '
    { match($0, /"timestamp":"/); at = substr($0, RSTART + 13, 19) }
    at < start || at > end { next }
    behaviour == "back" { held[++count] = $0; next }
    { print }
    END { while (count > 0) print held[count--] }' "$0.records"
case "$behaviour" in
    hang) exec /bin/sleep 600 ;;
    die) kill -9 $$ ;;
    cut)
        printf '{"timestamp":"2026-11-23 17:30:00.00'
        kill -9 $$
        ;;
    flood) while :; do echo "flood {{{"; done ;;
    garbage)
        count=0
        while [ $count -lt 2000 ]; do
            echo "garbage $count {{{"
            count=$((count + 1))
        done
        ;;
esac
echo '{"count":1,"finished":1}'
