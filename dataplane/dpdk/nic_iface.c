/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/dpdk/nic_iface.h"

#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

uint32_t nic_iface_mtu(const char *name, size_t len)
{
	struct ifreq request = {.ifr_mtu = 0};
	uint32_t mtu = 0;
	int fd;

	if (len == 0 || len >= sizeof(request.ifr_name))
		return 0;
	memcpy(request.ifr_name, name, len); /* zeroed before */
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return 0;
	if (ioctl(fd, SIOCGIFMTU, &request) == 0 && request.ifr_mtu > 0)
		mtu = (uint32_t)request.ifr_mtu;
	(void)close(fd);
	return mtu;
}
