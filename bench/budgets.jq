# What was promised, and what results.jsonl says of it: one line a promise, parted by tabs,
# with the row it is measured by at the end.
# jq -r -s -f budgets.jq RESULTS

def median($row; $case; $subject; $unit):
	first(.[] | select(.row == $row and (.case // "" | startswith($case))
		and .subject == $subject and .unit == $unit) | .median) // null;
def rate($row; $case; $subject): median($row; $case; $subject; "Gb/s");
def over($a; $b): if $a == null or $b == null or $b == 0 then null else $a / $b end;
def best($row; $case; $subjects):
	[rate($row; $case; $subjects[])] | map(select(. != null)) | max;
def short: if . >= 100 then round else (. * 100 | round) / 100 end | tostring;
def verdict($row; $what; $value; $unit; $least; $bar):
	[$what,
	if $value == null then "-" else ($value | short) + $unit end,
	if $least then ">= " else "<= " end + ($bar | short) + $unit,
	if $value == null then "not measured"
		elif $least and $value >= $bar or ($least | not) and $value <= $bar then "pass"
		else "not yet" end, $row] | join("\t");
def at_least($row; $what; $value; $unit; $bar): verdict($row; $what; $value; $unit; true; $bar);
def at_most($row; $what; $value; $unit; $bar): verdict($row; $what; $value; $unit; false; $bar);
# Of the rows that are both simulated and real.
def where: if . == "snapline" then ", simulated" else ", real time" end;

at_least("memif"; "memif, discarding, 8 KiB slices: of testpmd";
	over(rate("memif"; "8192"; "snapline"); rate("memif"; "8192"; "testpmd")); " x"; 0.8),
at_most("port"; "sender, gathering, net_ring, 8 KiB slices";
	median("port"; "8192"; "sender, gathering"; "cycles/packet"); " cycles"; 300),
at_most("port"; "receiver, net_ring, 8 KiB slices";
	median("port"; "8192"; "receiver"; "cycles/packet"); " cycles"; 2000),
at_least("files"; "16 files, tmpfs, memif: of get_file";
	over(rate("files"; "16 x"; "snapline"); rate("files"; "16 x"; "get_file")); " x"; 3),
at_least("files"; "16 files, tmpfs, memif: of the best of rsync, nginx+curl";
	over(rate("files"; "16 x"; "snapline"); best("files"; "16 x"; ["rsync", "nginx+curl"]));
	" x"; 2),
at_least("veth"; "veth, AF_PACKET, MTU 9000: of the best of rsync, nginx+curl, get_file";
	over(rate("veth"; "MTU 9000"; "af_packet");
		best("veth"; "MTU 9000"; ["rsync", "nginx+curl", "get_file"])); " x"; 1.5),
at_least("files"; "10 000 files of 6.5 KiB: of get_file with a table a file";
	over(rate("files"; "10000 x"; "snapline"); rate("files"; "10000 x"; "get_file"));
	" x"; 10),
at_most("memif"; "CPU of both ends, busy, discarding";
	median("memif"; "8192"; "both busy"; "core-s/GiB"); " core-s/GiB"; 0.5),
at_most("files"; "CPU of both ends, busy, onto tmpfs";
	median("files"; "16 x"; "snapline busy"; "core-s/GiB"); " core-s/GiB"; 0.8),
(("snapline", "real time") as $how | at_least("rtt"; "RTT 10 ms: of RTT 0\($how | where)";
	over(rate("rtt"; "RTT 10 ms"; $how); rate("rtt"; "RTT 0 ms"; $how)); " x"; 0.9)),
((1, 5, 20) as $percent | ("snapline", "real time") as $how |
	at_most("loss"; "loss \($percent) %: wire bytes a byte\($how | where)";
	median("loss"; "loss \($percent) %"; $how; "wire bytes/byte"); "";
	1.05 / (1 - $percent / 100))),
((2, 4, 8) as $followers | at_most("followers"; "\($followers) followers, simulated: bytes read a byte";
	median("followers"; "\($followers) followers"; "snapline"; "bytes read/byte"); "";
	1.1)),
((2, 4, 8) as $followers | at_most("crowd"; "\($followers) followers, veth: bytes read from the disk a byte";
	median("crowd"; "\($followers) followers"; "leader reads"; "bytes read/byte"); "";
	1.1)),
((16, 1024) as $gib | at_most("memory"; "memory beyond that of 256 MiB: \($gib) GiB, nearly all holes";
	median("memory"; "\($gib) GiB"; "beyond buffers"; "MiB"); " MiB"; 64)),
(({throttle: "memif", throttle_veth: "veth"} | to_entries[]) as $over |
("100 Mbit/s", "1 Gbit/s", "5 Gbit/s") as $rate | at_most($over.key; "limit of \($rate), \($over.value): error";
	median($over.key; $rate; "error"; "%") | if . == null then . else fabs end; " %"; 2)),
at_most("idle"; "idle node";
	median("idle"; "memif"; "node"; "% of a core"); " %"; 1)
