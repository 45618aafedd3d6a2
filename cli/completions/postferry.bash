# bash completion for postferry
_postferry() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local both="--source-password-file --target-password-file --source-password-command
        --target-password-command --timeout --folder --exclude --map --json --log-level
        --transcript --help"
    local filter="--since --before --max-size --journal --retries --quiet"
    local copy="$filter --deletions --force-deletions --after-copy --same-account --dry-run --sessions --memory
        --limit-rate --limit-messages --source-daily --target-daily --no-wait --no-progress"
    local verify="$filter --level"
    local failed="--export --accept --journal --quiet" retry="--repair --dry-run --journal --sessions --memory
        --retries --no-progress --no-wait --quiet" undo="--dry-run --yes --journal --retries"
    local relay="--envelope-sender --resent"
    local journal="--recipient --journal --json --log-level --help"
    local accounts="--only --jobs" fleet="--limit-sessions --limit-logins --limit-host-rate"
    local run="--only --failed --skip-complete --jobs $fleet"
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "copy run check verify failed retry status report undo --help --version" -- "$current")
        return
    fi
    case $previous in
        --source-password-file | --target-password-file | --export | --journal | --transcript)
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -f -- "$current")
            return ;;
        --log-level)
            mapfile -t COMPREPLY < <(compgen -W "debug info warning error" -- "$current")
            return ;;
        --deletions)
            mapfile -t COMPREPLY < <(compgen -W "keep mirror" -- "$current")
            return ;;
        --after-copy)
            mapfile -t COMPREPLY < <(compgen -W "keep delete delete-after=" -- "$current")
            return ;;
        --format)
            mapfile -t COMPREPLY < <(compgen -W "text json csv html" -- "$current")
            return ;;
        --level)
            mapfile -t COMPREPLY < <(compgen -W "count header bytes" -- "$current")
            return ;;
    esac
    case ${COMP_WORDS[1]} in
        copy) mapfile -t COMPREPLY < <(compgen -W "--recipient $both $relay $copy" -- "$current") ;;
        run)
            compopt -o filenames
            case $current in
                -*) mapfile -t COMPREPLY < <(compgen -W "--recipient $both $relay $copy $run" -- "$current") ;;
                *) mapfile -t COMPREPLY < <(compgen -f -X '!*.toml' -- "$current") ;;
            esac ;;
        failed) mapfile -t COMPREPLY < <(compgen -W "--recipient $both $relay $accounts $failed" -- "$current") ;;
        retry) mapfile -t COMPREPLY < <(compgen -W "--recipient $both $relay --unknown $accounts $fleet $retry" -- "$current") ;;
        undo) mapfile -t COMPREPLY < <(compgen -W "last $both $accounts $undo" -- "$current") ;;
        status) mapfile -t COMPREPLY < <(compgen -W "--only $journal" -- "$current") ;;
        report) mapfile -t COMPREPLY < <(compgen -W "last --only $journal --format" -- "$current") ;;
        verify) mapfile -t COMPREPLY < <(compgen -W "$both $accounts $verify" -- "$current") ;;
        check) mapfile -t COMPREPLY < <(compgen -W "--recipient $both $relay $accounts" -- "$current") ;;
    esac
}
complete -F _postferry postferry
