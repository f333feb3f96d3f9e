/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSH for Windows shares no connections (it has no unix sockets): nothing is added to
 * the user's own configuration, and each command is an ssh of its own. */
#include "transport/far.h"

char *ssh_config_file(void)
{
    return NULL;
}
