/* SPDX-License-Identifier: Apache-2.0 */
/* Rows whose work is another issue's: they are here so that the list is complete by
 * machine, and skip with the reason that README.md gives. */
#include "contract.h"

#define ELSEWHERE(name, why)                                                             \
    static void name(void **s)                                                           \
    {                                                                                    \
        SKIP(why);                                                                       \
    }

ELSEWHERE(C35_a_deployment_comes_up_from_its_yaml, "C35 belongs to the deployment issue")

TESTS(elsewhere_tests, ANY_RUNTIME(C35_a_deployment_comes_up_from_its_yaml));
