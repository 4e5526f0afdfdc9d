#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# What the kernel and strangers send to a Snapline device (see veth.sh). perl-base and its
# Socket are in every Debian, ping is not.
#
#   frames.pl ping|ping6 ADDR SIZE    ICMP echo, to be answered within 3 s
#   frames.pl flood ADDR              datagrams to closed ports, GSO giants among them
#   frames.pl noise IFACE ADDR MSEC   broken and foreign frames, straight onto the link
use strict;
use warnings;
use Socket qw(:DEFAULT inet_pton pack_sockaddr_in6);
use Time::HiRes qw(time sleep);

sub checksum {
	my $sum = 0;
	$sum += $_ for unpack 'n*', $_[0] . "\0";
	$sum = ($sum & 0xffff) + ($sum >> 16) while $sum >> 16;
	return ~$sum & 0xffff;
}

# The kernel fills in the checksum, and gives the answer without its IP header.
sub ping6 {
	my ($addr, $size) = @_;
	my $body = pack 'C*', map { $_ & 255 } 1 .. $size;
	my $to = pack_sockaddr_in6(0, inet_pton(AF_INET6, $addr));
	socket(my $s, PF_INET6, SOCK_RAW, 58) or die "socket: $!\n";
	send($s, pack('CCnnn', 128, 0, 0, $$ & 0xffff, 1) . $body, 0, $to) or die "send: $!\n";
	for (my $end = time + 3; time < $end;) {
		my $ready = '';
		vec($ready, fileno $s, 1) = 1;
		select($ready, undef, undef, $end - time) or last;
		recv $s, my $icmp, 65536, 0;
		my ($type, undef, undef, $id) = unpack 'CCnn', $icmp;
		next if $type != 129 || $id != ($$ & 0xffff);
		die "a broken answer\n" if substr($icmp, 8) ne $body;
		print "$addr answers\n";
		return;
	}
	die "$addr does not answer\n";
}

sub ping {
	my ($addr, $size) = @_;
	my $body = pack 'C*', map { $_ & 255 } 1 .. $size;
	my $request = pack 'CCnnn', 8, 0, 0, $$ & 0xffff, 1;
	substr($request, 2, 2) = pack 'n', checksum($request . $body);
	socket(my $s, PF_INET, SOCK_RAW, 1) or die "socket: $!\n";
	send($s, $request . $body, 0, pack_sockaddr_in(0, inet_aton($addr))) or die "send: $!\n";
	for (my $end = time + 3; time < $end;) {
		my $ready = '';
		vec($ready, fileno $s, 1) = 1;
		select($ready, undef, undef, $end - time) or last;
		recv $s, my $packet, 65536, 0;
		my $icmp = substr $packet, (ord($packet) & 15) * 4;
		my ($type, undef, undef, $id) = unpack 'CCnn', $icmp;
		next if $type != 0 || $id != ($$ & 0xffff);
		die "a broken answer\n" if checksum($icmp) != 0 || substr($icmp, 8) ne $body;
		print "$addr answers\n";
		return;
	}
	die "$addr does not answer\n";
}

sub flood {
	my ($addr) = @_;
	socket(my $s, PF_INET, SOCK_DGRAM, 17) or die "socket: $!\n";
	for my $port (1, 53, 4791, 65535) {
		send($s, 'x' x $_, 0, pack_sockaddr_in($port, inet_aton($addr)))
			for 0, 1, 40, 1472, 9000; # the last in fragments
	}
	setsockopt($s, 17, 103, pack 'i', 1400) or return; # UDP_SEGMENT: larger than any MTU
	send($s, 'x' x 60000, 0, pack_sockaddr_in(4791, inet_aton($addr))) for 1 .. 50;
}

sub noise {
	my ($iface, $addr, $msec) = @_;
	open my $file, '<', "/sys/class/net/$iface/ifindex" or die "$iface: $!\n";
	my $link = pack 'SnlSCCa8', 17, 3, <$file> + 0, 0, 0, 6, "\xff" x 6;
	socket(my $s, 17, SOCK_RAW, 0) or die "socket: $!\n";
	my $ip = inet_aton($addr);
	my $stranger = "\xff" x 6 . "\2\0\0\0\0\x99";
	my $arp = pack 'a12nnnCCn', $stranger, 0x0806, 1, 0x0800, 6, 4, 1;
	my $udp = pack 'CCnnnCCna4a4', 0x45, 0, 1028, 0, 0, 64, 17, 0, "\x0a\x50\0\x63", $ip;
	substr($udp, 10, 2) = pack 'n', checksum($udp);
	$udp = $stranger . "\x08\x00" . $udp . pack('nnnn', 4791, 4791, 1008, 0) . 'S' x 1000;
	my @frames = (
		$stranger, "$stranger\x08", $udp, substr($udp, 0, 40),
		$arp . "\2\0\0\0\0\x99\x0a\x50\0\x63" . "\0" x 6 . "\x0a\x50\0\x64", # not us
		$arp . "\2\0\0\0\0\x99$ip" . "\0" x 6 . $ip, # a stranger with our address
		$arp, "$stranger\x86\xdd" . "\x60\0\0\0\0\x08\x3a\xff" . "\0" x 40, # IPv6
		"$stranger\x81\0\0\7\x08\0" . substr($udp, 14), # VLAN
		"$stranger\x88\xcc" . "\2\7\4" x 20, # LLDP
	);
	for (my $end = time + $msec / 1000; time < $end; sleep 0.0005) {
		my $frame = $frames[rand @frames];
		# mangled at random, now and then
		substr($frame, rand length $frame, 1) = chr rand 256 if rand 2 > 1;
		send $s, $frame, 0, $link;
	}
}

my %verbs = (ping => \&ping, ping6 => \&ping6, flood => \&flood, noise => \&noise);
my $verb = $verbs{shift // ''} or die "usage: frames.pl ping|ping6|flood|noise ...\n";
$verb->(@ARGV);
