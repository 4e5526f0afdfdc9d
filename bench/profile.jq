# Where the time of a row goes, as rows of a table, parted by tabs: by the profile where there
# is one, else by the stages that were measured. jq -r -s --arg row ROW -f profile.jq RESULTS

def percent: "\(. * 100 | round) %";

([.[] | select(.row == $row and .profile)] | last) as $seen
| if $seen then
	$seen.profile[:6][] | [$row, .thread, .function, (.share | percent)]
else
	[.[] | select(.row == $row and .subject and (.subject | contains(": ")))]
	| group_by(.case) | map(sort_by(-.median)[:4][])[]
	| [$row, .case, .subject, "\(.median * 1000 | round / 1000) \(.unit)"]
end | join("\t")
