#!/bin/sh
# Every command of the fake Mac. What it does lies in files beside it: NAME.do says how it behaves, NAME.out prints what
# it prints, NAME.FIRST.out what it prints when FIRST is its first argument, NAME.LAST.out when LAST ends its last one, NAME.err
# what it complains of, NAME.code and NAME.LAST.code how it ends. Each call is noted in NAME.calls, and its environment in NAME.env where there is such a file.
echo "$# $*" >> "$0.calls"
[ -f "$0.env" ] && /usr/bin/env >> "$0.env"
out="$0.out"
[ -f "$0.$1.out" ] && out="$0.$1.out"
last=
for last; do :; done
last=${last##*/}
[ -n "$last" ] && [ -f "$0.$last.out" ] && out="$0.$last.out"
behaviour=plain
[ -f "$0.do" ] && read -r behaviour < "$0.do"
case "$behaviour" in
    hang)
        [ -f "$out" ] && . "$out"
        /bin/sleep 600
        ;;
    hang_with_child)
        /bin/sleep 600 &
        echo $! > "$0.child"
        /bin/sleep 600
        ;;
    flood)
        while :; do echo "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"; done
        ;;
    flood_stderr)
        count=0
        while [ $count -lt 20000 ]; do
            echo "complaint $count: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" >&2
            count=$((count + 1))
        done
        ;;
esac
[ -f "$out" ] && . "$out"
[ -f "$0.err" ] && /bin/cat "$0.err" >&2
code=0
[ -f "$0.code" ] && read -r code < "$0.code"
[ -n "$last" ] && [ -f "$0.$last.code" ] && read -r code < "$0.$last.code"
exit "$code"
