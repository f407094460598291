# fish completion for leakwatch: what the program's own help says, so that it is never out of date.
function __leakwatch_commands
    leakwatch --help 2>/dev/null | sed -n '/^Commands/,/^$/s/^  \([a-z-]*\)  *\(.*\)/\1\t\2/p'
end

function __leakwatch_options
    set -l words (commandline -opc)
    leakwatch $words[2] --help 2>/dev/null | grep -oE -- '--[a-z][a-z-]*' | sort -u
end

function __leakwatch_formats
    set -l words (commandline -opc)
    leakwatch $words[2] --help 2>/dev/null | sed -n 's/.*--format \([a-z|]*|[a-z|]*\).*/\1/p' | tr '|' '\n'
end

function __leakwatch_wants_format
    test (commandline -opc)[-1] = --format
end

complete -c leakwatch -n __leakwatch_wants_format -f -a '(__leakwatch_formats)'
complete -c leakwatch -n __fish_use_subcommand -f -a '(__leakwatch_commands)'
complete -c leakwatch -n 'not __fish_use_subcommand; and string match -q -- "-*" (commandline -ct)' -f -a '(__leakwatch_options)'
