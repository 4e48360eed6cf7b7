# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_mdm_health_global_optspecs
    string join \n source= root= state-dir= now= utc-offset= h/help V/version
end

function __fish_mdm_health_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_mdm_health_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_mdm_health_using_subcommand
    set -l cmd (__fish_mdm_health_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c mdm-health -n "__fish_mdm_health_needs_command" -l source -d '`live` for this Mac, `native` for this Mac with its log read from macOS\'s own files (see the README), or a path: a capture, a sysdiagnose or a log archive (a folder, a .tar or a .tar.gz), or a log file in any style of `log show`' -r
complete -c mdm-health -n "__fish_mdm_health_needs_command" -l root -d 'Root directory of the Mac to inspect. Programs below it are run, so except for / it must belong to you alone' -r -F
complete -c mdm-health -n "__fish_mdm_health_needs_command" -l state-dir -d 'Directory for the journal and the restart record [default: /Library/Application Support/mdm-health on a Mac, /var/lib/mdm-health elsewhere]' -r -F
complete -c mdm-health -n "__fish_mdm_health_needs_command" -l now -d 'Judge for this time instead of now; for a recorded Mac, now is when it was recorded; for a log file, its last record' -r
complete -c mdm-health -n "__fish_mdm_health_needs_command" -l utc-offset -d 'UTC offset of the Mac\'s local time, for a compact log and for deadlines [default: this machine\'s for a compact log and a live Mac, else the one in the capture or in the Mac\'s own log lines]' -r
complete -c mdm-health -n "__fish_mdm_health_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mdm-health -n "__fish_mdm_health_needs_command" -s V -l version -d 'Print version'
complete -c mdm-health -n "__fish_mdm_health_needs_command" -f -a "query" -d 'Run SQL over the tables, without osquery; without SQL, on a terminal, an interactive shell'
complete -c mdm-health -n "__fish_mdm_health_needs_command" -f -a "watch" -d 'Show the verdict and the last exchanges of this Mac, and keep them fresh: for the minute in which you send a push'
complete -c mdm-health -n "__fish_mdm_health_needs_command" -f -a "diagnose" -d 'Check for known MDM problems and print mdm-watchdog\'s outputs'
complete -c mdm-health -n "__fish_mdm_health_needs_command" -f -a "heal" -d 'Check for known MDM problems, restart what is stuck within the limits, and print mdm-watchdog\'s outputs'
complete -c mdm-health -n "__fish_mdm_health_needs_command" -f -a "doctor" -d 'Look at what this Mac lets mdm-health know: each source, the log, launchd, osquery. It changes nothing, and the exit code is 0 only if nothing failed'
complete -c mdm-health -n "__fish_mdm_health_needs_command" -f -a "report" -d 'Write an HTML report: the verdict with its evidence, a timeline, and every table'
complete -c mdm-health -n "__fish_mdm_health_needs_command" -f -a "capture" -d 'Record what mdm-health reads on this Mac, to look at elsewhere with --source'
complete -c mdm-health -n "__fish_mdm_health_needs_command" -f -a "tables" -d 'List the tables, or print one table\'s full documentation, as Markdown'
complete -c mdm-health -n "__fish_mdm_health_needs_command" -f -a "codes" -d 'List the sets of states and reasons, or print one set: what each word means, and what to do'
complete -c mdm-health -n "__fish_mdm_health_needs_command" -f -a "packs" -d 'Print the queries for a fleet: a list, a file for osquery, Kolide or Fleet, or the SQL of one'
complete -c mdm-health -n "__fish_mdm_health_needs_command" -f -a "completions" -d 'Print a shell completion script'
complete -c mdm-health -n "__fish_mdm_health_needs_command" -f -a "man" -d 'Print the man page'
complete -c mdm-health -n "__fish_mdm_health_needs_command" -f -a "version" -d 'Print the version'
complete -c mdm-health -n "__fish_mdm_health_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c mdm-health -n "__fish_mdm_health_using_subcommand query" -s f -l file -d 'Read the SQL from a file' -r -F
complete -c mdm-health -n "__fish_mdm_health_using_subcommand query" -l source -d '`live` for this Mac, `native` for this Mac with its log read from macOS\'s own files (see the README), or a path: a capture, a sysdiagnose or a log archive (a folder, a .tar or a .tar.gz), or a log file in any style of `log show`' -r
complete -c mdm-health -n "__fish_mdm_health_using_subcommand query" -l root -d 'Root directory of the Mac to inspect. Programs below it are run, so except for / it must belong to you alone' -r -F
complete -c mdm-health -n "__fish_mdm_health_using_subcommand query" -l state-dir -d 'Directory for the journal and the restart record [default: /Library/Application Support/mdm-health on a Mac, /var/lib/mdm-health elsewhere]' -r -F
complete -c mdm-health -n "__fish_mdm_health_using_subcommand query" -l now -d 'Judge for this time instead of now; for a recorded Mac, now is when it was recorded; for a log file, its last record' -r
complete -c mdm-health -n "__fish_mdm_health_using_subcommand query" -l utc-offset -d 'UTC offset of the Mac\'s local time, for a compact log and for deadlines [default: this machine\'s for a compact log and a live Mac, else the one in the capture or in the Mac\'s own log lines]' -r
complete -c mdm-health -n "__fish_mdm_health_using_subcommand query" -l json -d 'Print JSON: for each result an array with an object per row'
complete -c mdm-health -n "__fish_mdm_health_using_subcommand query" -l csv -d 'Print CSV'
complete -c mdm-health -n "__fish_mdm_health_using_subcommand query" -l table -d 'Print a table, even if it is wider than the terminal'
complete -c mdm-health -n "__fish_mdm_health_using_subcommand query" -l list -d 'Print each row as a list of its columns'
complete -c mdm-health -n "__fish_mdm_health_using_subcommand query" -s h -l help -d 'Print help'
complete -c mdm-health -n "__fish_mdm_health_using_subcommand watch" -l every -d 'Seconds between two readings of the log, at least; one that takes long is followed by a longer rest' -r
complete -c mdm-health -n "__fish_mdm_health_using_subcommand watch" -l exchanges -d 'How many exchanges to show' -r
complete -c mdm-health -n "__fish_mdm_health_using_subcommand watch" -l times -d 'Show it so many times, then end; without this it goes on until Ctrl-C' -r
complete -c mdm-health -n "__fish_mdm_health_using_subcommand watch" -l source -d '`live` for this Mac, `native` for this Mac with its log read from macOS\'s own files (see the README), or a path: a capture, a sysdiagnose or a log archive (a folder, a .tar or a .tar.gz), or a log file in any style of `log show`' -r
complete -c mdm-health -n "__fish_mdm_health_using_subcommand watch" -l root -d 'Root directory of the Mac to inspect. Programs below it are run, so except for / it must belong to you alone' -r -F
complete -c mdm-health -n "__fish_mdm_health_using_subcommand watch" -l state-dir -d 'Directory for the journal and the restart record [default: /Library/Application Support/mdm-health on a Mac, /var/lib/mdm-health elsewhere]' -r -F
complete -c mdm-health -n "__fish_mdm_health_using_subcommand watch" -l now -d 'Judge for this time instead of now; for a recorded Mac, now is when it was recorded; for a log file, its last record' -r
complete -c mdm-health -n "__fish_mdm_health_using_subcommand watch" -l utc-offset -d 'UTC offset of the Mac\'s local time, for a compact log and for deadlines [default: this machine\'s for a compact log and a live Mac, else the one in the capture or in the Mac\'s own log lines]' -r
complete -c mdm-health -n "__fish_mdm_health_using_subcommand watch" -s h -l help -d 'Print help'
complete -c mdm-health -n "__fish_mdm_health_using_subcommand diagnose" -l source -d '`live` for this Mac, `native` for this Mac with its log read from macOS\'s own files (see the README), or a path: a capture, a sysdiagnose or a log archive (a folder, a .tar or a .tar.gz), or a log file in any style of `log show`' -r
complete -c mdm-health -n "__fish_mdm_health_using_subcommand diagnose" -l root -d 'Root directory of the Mac to inspect. Programs below it are run, so except for / it must belong to you alone' -r -F
complete -c mdm-health -n "__fish_mdm_health_using_subcommand diagnose" -l state-dir -d 'Directory for the journal and the restart record [default: /Library/Application Support/mdm-health on a Mac, /var/lib/mdm-health elsewhere]' -r -F
complete -c mdm-health -n "__fish_mdm_health_using_subcommand diagnose" -l now -d 'Judge for this time instead of now; for a recorded Mac, now is when it was recorded; for a log file, its last record' -r
complete -c mdm-health -n "__fish_mdm_health_using_subcommand diagnose" -l utc-offset -d 'UTC offset of the Mac\'s local time, for a compact log and for deadlines [default: this machine\'s for a compact log and a live Mac, else the one in the capture or in the Mac\'s own log lines]' -r
complete -c mdm-health -n "__fish_mdm_health_using_subcommand diagnose" -l json -d 'Print one JSON object: true, false, RFC 3339 times, with State, Reason and Detail; null is unknown, or never'
complete -c mdm-health -n "__fish_mdm_health_using_subcommand diagnose" -l syslog -d 'Write the lines to the system\'s log as well, as one entry'
complete -c mdm-health -n "__fish_mdm_health_using_subcommand diagnose" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mdm-health -n "__fish_mdm_health_using_subcommand heal" -l source -d '`live` for this Mac, `native` for this Mac with its log read from macOS\'s own files (see the README), or a path: a capture, a sysdiagnose or a log archive (a folder, a .tar or a .tar.gz), or a log file in any style of `log show`' -r
complete -c mdm-health -n "__fish_mdm_health_using_subcommand heal" -l root -d 'Root directory of the Mac to inspect. Programs below it are run, so except for / it must belong to you alone' -r -F
complete -c mdm-health -n "__fish_mdm_health_using_subcommand heal" -l state-dir -d 'Directory for the journal and the restart record [default: /Library/Application Support/mdm-health on a Mac, /var/lib/mdm-health elsewhere]' -r -F
complete -c mdm-health -n "__fish_mdm_health_using_subcommand heal" -l now -d 'Judge for this time instead of now; for a recorded Mac, now is when it was recorded; for a log file, its last record' -r
complete -c mdm-health -n "__fish_mdm_health_using_subcommand heal" -l utc-offset -d 'UTC offset of the Mac\'s local time, for a compact log and for deadlines [default: this machine\'s for a compact log and a live Mac, else the one in the capture or in the Mac\'s own log lines]' -r
complete -c mdm-health -n "__fish_mdm_health_using_subcommand heal" -l automatic -d 'Restart only if the policy\'s AutomaticHealMinutes is above 0 and the state is `stuck`; for a LaunchDaemon, with --syslog. Does nothing if the last look is less than 95 minutes old, however often it is started'
complete -c mdm-health -n "__fish_mdm_health_using_subcommand heal" -l json -d 'Print one JSON object: true, false, RFC 3339 times, with State, Reason and Detail; null is unknown, or never'
complete -c mdm-health -n "__fish_mdm_health_using_subcommand heal" -l syslog -d 'Write the lines to the system\'s log as well, as one entry'
complete -c mdm-health -n "__fish_mdm_health_using_subcommand heal" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mdm-health -n "__fish_mdm_health_using_subcommand doctor" -l source -d '`live` for this Mac, `native` for this Mac with its log read from macOS\'s own files (see the README), or a path: a capture, a sysdiagnose or a log archive (a folder, a .tar or a .tar.gz), or a log file in any style of `log show`' -r
complete -c mdm-health -n "__fish_mdm_health_using_subcommand doctor" -l root -d 'Root directory of the Mac to inspect. Programs below it are run, so except for / it must belong to you alone' -r -F
complete -c mdm-health -n "__fish_mdm_health_using_subcommand doctor" -l state-dir -d 'Directory for the journal and the restart record [default: /Library/Application Support/mdm-health on a Mac, /var/lib/mdm-health elsewhere]' -r -F
complete -c mdm-health -n "__fish_mdm_health_using_subcommand doctor" -l now -d 'Judge for this time instead of now; for a recorded Mac, now is when it was recorded; for a log file, its last record' -r
complete -c mdm-health -n "__fish_mdm_health_using_subcommand doctor" -l utc-offset -d 'UTC offset of the Mac\'s local time, for a compact log and for deadlines [default: this machine\'s for a compact log and a live Mac, else the one in the capture or in the Mac\'s own log lines]' -r
complete -c mdm-health -n "__fish_mdm_health_using_subcommand doctor" -l json -d 'Print JSON'
complete -c mdm-health -n "__fish_mdm_health_using_subcommand doctor" -l samples -d 'Show examples of what mdmclient says and mdm-health does not know, with names and numbers taken out'
complete -c mdm-health -n "__fish_mdm_health_using_subcommand doctor" -s h -l help -d 'Print help'
complete -c mdm-health -n "__fish_mdm_health_using_subcommand report" -l fleet -d 'Report on every capture in this folder: a line each in FILE.html, the worst first, and a page each in a folder beside it. Captures may be folders, .tar.gz files or archives. --source is not used' -r -F
complete -c mdm-health -n "__fish_mdm_health_using_subcommand report" -l source -d '`live` for this Mac, `native` for this Mac with its log read from macOS\'s own files (see the README), or a path: a capture, a sysdiagnose or a log archive (a folder, a .tar or a .tar.gz), or a log file in any style of `log show`' -r
complete -c mdm-health -n "__fish_mdm_health_using_subcommand report" -l root -d 'Root directory of the Mac to inspect. Programs below it are run, so except for / it must belong to you alone' -r -F
complete -c mdm-health -n "__fish_mdm_health_using_subcommand report" -l state-dir -d 'Directory for the journal and the restart record [default: /Library/Application Support/mdm-health on a Mac, /var/lib/mdm-health elsewhere]' -r -F
complete -c mdm-health -n "__fish_mdm_health_using_subcommand report" -l now -d 'Judge for this time instead of now; for a recorded Mac, now is when it was recorded; for a log file, its last record' -r
complete -c mdm-health -n "__fish_mdm_health_using_subcommand report" -l utc-offset -d 'UTC offset of the Mac\'s local time, for a compact log and for deadlines [default: this machine\'s for a compact log and a live Mac, else the one in the capture or in the Mac\'s own log lines]' -r
complete -c mdm-health -n "__fish_mdm_health_using_subcommand report" -l force -d 'Replace the file if it exists; without this nothing is ever replaced'
complete -c mdm-health -n "__fish_mdm_health_using_subcommand report" -s h -l help -d 'Print help'
complete -c mdm-health -n "__fish_mdm_health_using_subcommand capture" -l hours -d 'How many hours of the log to ask for' -r
complete -c mdm-health -n "__fish_mdm_health_using_subcommand capture" -l source -d '`live` for this Mac, `native` for this Mac with its log read from macOS\'s own files (see the README), or a path: a capture, a sysdiagnose or a log archive (a folder, a .tar or a .tar.gz), or a log file in any style of `log show`' -r
complete -c mdm-health -n "__fish_mdm_health_using_subcommand capture" -l root -d 'Root directory of the Mac to inspect. Programs below it are run, so except for / it must belong to you alone' -r -F
complete -c mdm-health -n "__fish_mdm_health_using_subcommand capture" -l state-dir -d 'Directory for the journal and the restart record [default: /Library/Application Support/mdm-health on a Mac, /var/lib/mdm-health elsewhere]' -r -F
complete -c mdm-health -n "__fish_mdm_health_using_subcommand capture" -l now -d 'Judge for this time instead of now; for a recorded Mac, now is when it was recorded; for a log file, its last record' -r
complete -c mdm-health -n "__fish_mdm_health_using_subcommand capture" -l utc-offset -d 'UTC offset of the Mac\'s local time, for a compact log and for deadlines [default: this machine\'s for a compact log and a live Mac, else the one in the capture or in the Mac\'s own log lines]' -r
complete -c mdm-health -n "__fish_mdm_health_using_subcommand capture" -l redact -d 'Replace serial numbers, identifiers, names, addresses and secrets by placeholders'
complete -c mdm-health -n "__fish_mdm_health_using_subcommand capture" -l archive -d 'Also run `log collect` for these hours and keep what it writes: the whole log, for Console and `log show --archive`. A day of it takes some hundred megabytes'
complete -c mdm-health -n "__fish_mdm_health_using_subcommand capture" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mdm-health -n "__fish_mdm_health_using_subcommand tables" -l source -d '`live` for this Mac, `native` for this Mac with its log read from macOS\'s own files (see the README), or a path: a capture, a sysdiagnose or a log archive (a folder, a .tar or a .tar.gz), or a log file in any style of `log show`' -r
complete -c mdm-health -n "__fish_mdm_health_using_subcommand tables" -l root -d 'Root directory of the Mac to inspect. Programs below it are run, so except for / it must belong to you alone' -r -F
complete -c mdm-health -n "__fish_mdm_health_using_subcommand tables" -l state-dir -d 'Directory for the journal and the restart record [default: /Library/Application Support/mdm-health on a Mac, /var/lib/mdm-health elsewhere]' -r -F
complete -c mdm-health -n "__fish_mdm_health_using_subcommand tables" -l now -d 'Judge for this time instead of now; for a recorded Mac, now is when it was recorded; for a log file, its last record' -r
complete -c mdm-health -n "__fish_mdm_health_using_subcommand tables" -l utc-offset -d 'UTC offset of the Mac\'s local time, for a compact log and for deadlines [default: this machine\'s for a compact log and a live Mac, else the one in the capture or in the Mac\'s own log lines]' -r
complete -c mdm-health -n "__fish_mdm_health_using_subcommand tables" -s h -l help -d 'Print help'
complete -c mdm-health -n "__fish_mdm_health_using_subcommand codes" -l source -d '`live` for this Mac, `native` for this Mac with its log read from macOS\'s own files (see the README), or a path: a capture, a sysdiagnose or a log archive (a folder, a .tar or a .tar.gz), or a log file in any style of `log show`' -r
complete -c mdm-health -n "__fish_mdm_health_using_subcommand codes" -l root -d 'Root directory of the Mac to inspect. Programs below it are run, so except for / it must belong to you alone' -r -F
complete -c mdm-health -n "__fish_mdm_health_using_subcommand codes" -l state-dir -d 'Directory for the journal and the restart record [default: /Library/Application Support/mdm-health on a Mac, /var/lib/mdm-health elsewhere]' -r -F
complete -c mdm-health -n "__fish_mdm_health_using_subcommand codes" -l now -d 'Judge for this time instead of now; for a recorded Mac, now is when it was recorded; for a log file, its last record' -r
complete -c mdm-health -n "__fish_mdm_health_using_subcommand codes" -l utc-offset -d 'UTC offset of the Mac\'s local time, for a compact log and for deadlines [default: this machine\'s for a compact log and a live Mac, else the one in the capture or in the Mac\'s own log lines]' -r
complete -c mdm-health -n "__fish_mdm_health_using_subcommand codes" -s h -l help -d 'Print help'
complete -c mdm-health -n "__fish_mdm_health_using_subcommand packs" -l source -d '`live` for this Mac, `native` for this Mac with its log read from macOS\'s own files (see the README), or a path: a capture, a sysdiagnose or a log archive (a folder, a .tar or a .tar.gz), or a log file in any style of `log show`' -r
complete -c mdm-health -n "__fish_mdm_health_using_subcommand packs" -l root -d 'Root directory of the Mac to inspect. Programs below it are run, so except for / it must belong to you alone' -r -F
complete -c mdm-health -n "__fish_mdm_health_using_subcommand packs" -l state-dir -d 'Directory for the journal and the restart record [default: /Library/Application Support/mdm-health on a Mac, /var/lib/mdm-health elsewhere]' -r -F
complete -c mdm-health -n "__fish_mdm_health_using_subcommand packs" -l now -d 'Judge for this time instead of now; for a recorded Mac, now is when it was recorded; for a log file, its last record' -r
complete -c mdm-health -n "__fish_mdm_health_using_subcommand packs" -l utc-offset -d 'UTC offset of the Mac\'s local time, for a compact log and for deadlines [default: this machine\'s for a compact log and a live Mac, else the one in the capture or in the Mac\'s own log lines]' -r
complete -c mdm-health -n "__fish_mdm_health_using_subcommand packs" -s h -l help -d 'Print help'
complete -c mdm-health -n "__fish_mdm_health_using_subcommand completions" -l source -d '`live` for this Mac, `native` for this Mac with its log read from macOS\'s own files (see the README), or a path: a capture, a sysdiagnose or a log archive (a folder, a .tar or a .tar.gz), or a log file in any style of `log show`' -r
complete -c mdm-health -n "__fish_mdm_health_using_subcommand completions" -l root -d 'Root directory of the Mac to inspect. Programs below it are run, so except for / it must belong to you alone' -r -F
complete -c mdm-health -n "__fish_mdm_health_using_subcommand completions" -l state-dir -d 'Directory for the journal and the restart record [default: /Library/Application Support/mdm-health on a Mac, /var/lib/mdm-health elsewhere]' -r -F
complete -c mdm-health -n "__fish_mdm_health_using_subcommand completions" -l now -d 'Judge for this time instead of now; for a recorded Mac, now is when it was recorded; for a log file, its last record' -r
complete -c mdm-health -n "__fish_mdm_health_using_subcommand completions" -l utc-offset -d 'UTC offset of the Mac\'s local time, for a compact log and for deadlines [default: this machine\'s for a compact log and a live Mac, else the one in the capture or in the Mac\'s own log lines]' -r
complete -c mdm-health -n "__fish_mdm_health_using_subcommand completions" -s h -l help -d 'Print help'
complete -c mdm-health -n "__fish_mdm_health_using_subcommand man" -l source -d '`live` for this Mac, `native` for this Mac with its log read from macOS\'s own files (see the README), or a path: a capture, a sysdiagnose or a log archive (a folder, a .tar or a .tar.gz), or a log file in any style of `log show`' -r
complete -c mdm-health -n "__fish_mdm_health_using_subcommand man" -l root -d 'Root directory of the Mac to inspect. Programs below it are run, so except for / it must belong to you alone' -r -F
complete -c mdm-health -n "__fish_mdm_health_using_subcommand man" -l state-dir -d 'Directory for the journal and the restart record [default: /Library/Application Support/mdm-health on a Mac, /var/lib/mdm-health elsewhere]' -r -F
complete -c mdm-health -n "__fish_mdm_health_using_subcommand man" -l now -d 'Judge for this time instead of now; for a recorded Mac, now is when it was recorded; for a log file, its last record' -r
complete -c mdm-health -n "__fish_mdm_health_using_subcommand man" -l utc-offset -d 'UTC offset of the Mac\'s local time, for a compact log and for deadlines [default: this machine\'s for a compact log and a live Mac, else the one in the capture or in the Mac\'s own log lines]' -r
complete -c mdm-health -n "__fish_mdm_health_using_subcommand man" -s h -l help -d 'Print help'
complete -c mdm-health -n "__fish_mdm_health_using_subcommand version" -l source -d '`live` for this Mac, `native` for this Mac with its log read from macOS\'s own files (see the README), or a path: a capture, a sysdiagnose or a log archive (a folder, a .tar or a .tar.gz), or a log file in any style of `log show`' -r
complete -c mdm-health -n "__fish_mdm_health_using_subcommand version" -l root -d 'Root directory of the Mac to inspect. Programs below it are run, so except for / it must belong to you alone' -r -F
complete -c mdm-health -n "__fish_mdm_health_using_subcommand version" -l state-dir -d 'Directory for the journal and the restart record [default: /Library/Application Support/mdm-health on a Mac, /var/lib/mdm-health elsewhere]' -r -F
complete -c mdm-health -n "__fish_mdm_health_using_subcommand version" -l now -d 'Judge for this time instead of now; for a recorded Mac, now is when it was recorded; for a log file, its last record' -r
complete -c mdm-health -n "__fish_mdm_health_using_subcommand version" -l utc-offset -d 'UTC offset of the Mac\'s local time, for a compact log and for deadlines [default: this machine\'s for a compact log and a live Mac, else the one in the capture or in the Mac\'s own log lines]' -r
complete -c mdm-health -n "__fish_mdm_health_using_subcommand version" -s h -l help -d 'Print help'
complete -c mdm-health -n "__fish_mdm_health_using_subcommand help; and not __fish_seen_subcommand_from query watch diagnose heal doctor report capture tables codes packs completions man version help" -f -a "query" -d 'Run SQL over the tables, without osquery; without SQL, on a terminal, an interactive shell'
complete -c mdm-health -n "__fish_mdm_health_using_subcommand help; and not __fish_seen_subcommand_from query watch diagnose heal doctor report capture tables codes packs completions man version help" -f -a "watch" -d 'Show the verdict and the last exchanges of this Mac, and keep them fresh: for the minute in which you send a push'
complete -c mdm-health -n "__fish_mdm_health_using_subcommand help; and not __fish_seen_subcommand_from query watch diagnose heal doctor report capture tables codes packs completions man version help" -f -a "diagnose" -d 'Check for known MDM problems and print mdm-watchdog\'s outputs'
complete -c mdm-health -n "__fish_mdm_health_using_subcommand help; and not __fish_seen_subcommand_from query watch diagnose heal doctor report capture tables codes packs completions man version help" -f -a "heal" -d 'Check for known MDM problems, restart what is stuck within the limits, and print mdm-watchdog\'s outputs'
complete -c mdm-health -n "__fish_mdm_health_using_subcommand help; and not __fish_seen_subcommand_from query watch diagnose heal doctor report capture tables codes packs completions man version help" -f -a "doctor" -d 'Look at what this Mac lets mdm-health know: each source, the log, launchd, osquery. It changes nothing, and the exit code is 0 only if nothing failed'
complete -c mdm-health -n "__fish_mdm_health_using_subcommand help; and not __fish_seen_subcommand_from query watch diagnose heal doctor report capture tables codes packs completions man version help" -f -a "report" -d 'Write an HTML report: the verdict with its evidence, a timeline, and every table'
complete -c mdm-health -n "__fish_mdm_health_using_subcommand help; and not __fish_seen_subcommand_from query watch diagnose heal doctor report capture tables codes packs completions man version help" -f -a "capture" -d 'Record what mdm-health reads on this Mac, to look at elsewhere with --source'
complete -c mdm-health -n "__fish_mdm_health_using_subcommand help; and not __fish_seen_subcommand_from query watch diagnose heal doctor report capture tables codes packs completions man version help" -f -a "tables" -d 'List the tables, or print one table\'s full documentation, as Markdown'
complete -c mdm-health -n "__fish_mdm_health_using_subcommand help; and not __fish_seen_subcommand_from query watch diagnose heal doctor report capture tables codes packs completions man version help" -f -a "codes" -d 'List the sets of states and reasons, or print one set: what each word means, and what to do'
complete -c mdm-health -n "__fish_mdm_health_using_subcommand help; and not __fish_seen_subcommand_from query watch diagnose heal doctor report capture tables codes packs completions man version help" -f -a "packs" -d 'Print the queries for a fleet: a list, a file for osquery, Kolide or Fleet, or the SQL of one'
complete -c mdm-health -n "__fish_mdm_health_using_subcommand help; and not __fish_seen_subcommand_from query watch diagnose heal doctor report capture tables codes packs completions man version help" -f -a "completions" -d 'Print a shell completion script'
complete -c mdm-health -n "__fish_mdm_health_using_subcommand help; and not __fish_seen_subcommand_from query watch diagnose heal doctor report capture tables codes packs completions man version help" -f -a "man" -d 'Print the man page'
complete -c mdm-health -n "__fish_mdm_health_using_subcommand help; and not __fish_seen_subcommand_from query watch diagnose heal doctor report capture tables codes packs completions man version help" -f -a "version" -d 'Print the version'
complete -c mdm-health -n "__fish_mdm_health_using_subcommand help; and not __fish_seen_subcommand_from query watch diagnose heal doctor report capture tables codes packs completions man version help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
