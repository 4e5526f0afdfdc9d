/* SPDX-License-Identifier: BSD-3-Clause */
/* The socket file of a memif server. */
#ifndef MEMIF_SOCKET_H
#define MEMIF_SOCKET_H

/* Removes the socket file that a killed server left at path: the driver would take it for
 * a living one. A file that somebody listens on, or that is no socket, is left alone. */
void memif_socket_reclaim(const char *path);

#endif
