/* Preloaded into a process and all that it starts: writes each look-up of a name and each connection to the file
   that $NO_NETWORK_LOG names, and lets none leave this machine.

   A line: LOOKUP name, OUTSIDE address port, or LOOPBACK address port. Names that are numbers need no look-up; the name
   localhost is this machine. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void record(const char *what, const char *where, int port) {
  const char *path = getenv("NO_NETWORK_LOG");
  char line[600];
  int length = snprintf(line, sizeof line, "%s %s %d\n", what, where, port);
  int file = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
  if (file < 0 || write(file, line, length < (int)sizeof line ? length : (int)sizeof line - 1) < 0) abort();
  close(file);
}

static int is_number(const char *name) {
  unsigned char number[16];
  return !name || inet_pton(AF_INET, name, number) == 1 || inet_pton(AF_INET6, name, number) == 1;
}

/* Whether a packet to this address may be sent: to other processes of this machine it may. */
static int may_send(const struct sockaddr *to) {
  char where[INET6_ADDRSTRLEN] = "?";
  int port, here;
  if (!to) return 1; /* connected before */
  if (to->sa_family == AF_INET) {
    const struct sockaddr_in *in = (const struct sockaddr_in *)to;
    inet_ntop(AF_INET, &in->sin_addr, where, sizeof where);
    port = ntohs(in->sin_port);
    here = ntohl(in->sin_addr.s_addr) >> 24 == 127;
  } else if (to->sa_family == AF_INET6) {
    const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)to;
    inet_ntop(AF_INET6, &in->sin6_addr, where, sizeof where);
    port = ntohs(in->sin6_port);
    here = IN6_IS_ADDR_LOOPBACK(&in->sin6_addr);
  } else {
    return 1;
  }
  record(here ? "LOOPBACK" : "OUTSIDE", where, port);
  if (!here) errno = ENETUNREACH;
  return here;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
  if (!is_number(name) && !strcmp(name, "localhost")) {
    record("LOOPBACK", name, 0);
    name = hints && hints->ai_family == AF_INET6 ? "::1" : "127.0.0.1";
  }
  if (is_number(name)) return REAL(getaddrinfo)(name, service, hints, found);
  record("LOOKUP", name, 0);
  return EAI_NONAME;
}

static struct hostent *no_host(const char *name) {
  record("LOOKUP", name, 0);
  h_errno = HOST_NOT_FOUND;
  return NULL;
}

struct hostent *gethostbyname(const char *name) { return no_host(name); }
struct hostent *gethostbyname2(const char *name, int family) { return no_host(name); }

int gethostbyname_r(const char *name, struct hostent *host, char *room, size_t size, struct hostent **found, int *why) {
  *found = no_host(name);
  *why = HOST_NOT_FOUND;
  return 0;
}

int gethostbyname2_r(const char *name, int family, struct hostent *host, char *room, size_t size,
                     struct hostent **found, int *why) {
  return gethostbyname_r(name, host, room, size, found, why);
}

int connect(int socket, const struct sockaddr *to, socklen_t size) {
  return may_send(to) ? REAL(connect)(socket, to, size) : -1;
}

ssize_t sendto(int socket, const void *data, size_t length, int flags, const struct sockaddr *to, socklen_t size) {
  return may_send(to) ? REAL(sendto)(socket, data, length, flags, to, size) : -1;
}

ssize_t sendmsg(int socket, const struct msghdr *message, int flags) {
  return may_send(message->msg_name) ? REAL(sendmsg)(socket, message, flags) : -1;
}

int sendmmsg(int socket, struct mmsghdr *messages, unsigned int count, int flags) {
  for (unsigned int i = 0; i < count; i++)
    if (!may_send(messages[i].msg_hdr.msg_name)) return -1;
  return REAL(sendmmsg)(socket, messages, count, flags);
}
