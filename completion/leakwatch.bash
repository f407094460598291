# bash completion for leakwatch: what the program's own help says, so that it is never out of date.
_leakwatch() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}

	if [ "$COMP_CWORD" -eq 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W "--help --version $("$1" --help 2>/dev/null |
			sed -n '/^Commands/,/^$/s/^  \([a-z-]*\) .*/\1/p')" -- "$cur")
	elif [ "${cur#-}" != "$cur" ]; then
		mapfile -t COMPREPLY < <(compgen -W "$("$1" "${COMP_WORDS[1]}" --help 2>/dev/null |
			grep -oE -- '--[a-z][a-z-]*' | sort -u)" -- "$cur")
	elif [ "$prev" = --format ]; then
		mapfile -t COMPREPLY < <(compgen -W "$("$1" "${COMP_WORDS[1]}" --help 2>/dev/null |
			sed -n 's/.*--format \([a-z|]*|[a-z|]*\).*/\1/p' | tr '|' ' ')" -- "$cur")
	else
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
	fi
}
complete -o filenames -F _leakwatch leakwatch
