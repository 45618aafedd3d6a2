# bash completion for postferry
_postferry() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
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
    if [ "${COMP_WORDS[1]}" = run ] && [[ $current != -* ]]; then
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -X '!*.toml' -- "$current")
        return
    fi
    local options
    case ${COMP_WORDS[1]} in
        copy)
            options="--source-password-file --target-password-file --source-password-command
                --target-password-command --timeout --recipient --envelope-sender --resent --folder
                --exclude --map --since --before --max-size --deletions --force-deletions --after-copy
                --dry-run --journal --same-account --sessions --memory --limit-rate --limit-messages
                --source-daily --target-daily --no-wait --retries --json --no-progress --quiet --log-level
                --transcript --help" ;;
        run)
            options="--source-password-file --target-password-file --source-password-command
                --target-password-command --timeout --recipient --envelope-sender --resent --folder
                --exclude --map --since --before --max-size --deletions --force-deletions --after-copy
                --dry-run --journal --same-account --sessions --memory --limit-rate --limit-messages
                --source-daily --target-daily --no-wait --retries --only --jobs --failed --skip-complete
                --limit-sessions --limit-logins --limit-host-rate --json --no-progress --quiet --log-level
                --transcript --help" ;;
        check)
            options="--source-password-file --target-password-file --source-password-command
                --target-password-command --timeout --recipient --envelope-sender --resent --folder
                --exclude --map --journal --only --jobs --json --log-level --transcript --help" ;;
        verify)
            options="--source-password-file --target-password-file --source-password-command
                --target-password-command --timeout --folder --exclude --map --since --before --max-size
                --level --against --journal --retries --only --jobs --json --quiet --log-level --transcript --help" ;;
        failed)
            options="--source-password-file --target-password-file --source-password-command
                --target-password-command --timeout --recipient --envelope-sender --resent --folder
                --exclude --export --accept --journal --only --jobs --json --quiet --log-level --transcript
                --help" ;;
        retry)
            options="--source-password-file --target-password-file --source-password-command
                --target-password-command --timeout --recipient --envelope-sender --resent --unknown
                --folder --exclude --repair --dry-run --journal --sessions --memory --limit-rate
                --limit-messages --source-daily --target-daily --no-wait --retries --only --jobs
                --limit-sessions --limit-logins --limit-host-rate --json --no-progress --quiet --log-level
                --transcript --help" ;;
        undo)
            options="last --source-password-file --target-password-file --source-password-command
                --target-password-command --timeout --dry-run --yes --journal --retries --only --jobs --json
                --log-level --transcript --help" ;;
        status)
            options="--recipient --journal --only --json --log-level --transcript --help" ;;
        report)
            options="last --recipient --journal --only --json --format --log-level --transcript --help" ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
}
complete -F _postferry postferry
