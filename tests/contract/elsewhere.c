/* SPDX-License-Identifier: Apache-2.0 */
/* Rows whose work is another issue's: they are here so that the list is complete by
 * machine, and skip with the reason that README.md gives. */
#include "contract.h"

#define ELSEWHERE(name, why)                                                             \
    static void name(void **s)                                                           \
    {                                                                                    \
        SKIP(why);                                                                       \
    }

ELSEWHERE(C04_a_distro_can_be_bootstrapped_from_a_tarball_or_an_image,
          "C04 belongs to the boundary issue: there is no `target create` yet")
ELSEWHERE(C06_interface_names_are_deterministic_and_at_most_15_bytes,
          "C06 belongs to the network issue: no interface is made yet")
ELSEWHERE(C08_tokens_credential_helpers_and_ca_files,
          "C08 belongs to the registry issue: anonymous and basic are in "
          "tests/unit/registry")
ELSEWHERE(C17_the_network_is_there_before_the_first_instruction,
          "C17 belongs to the network issue: there are only `none` and `host` yet")
ELSEWHERE(C29_a_recorded_address_is_programmed_at_start,
          "C29 belongs to the network issue")
ELSEWHERE(C30_overlay_is_best_effort_and_a_person_s_network_strict,
          "C30 belongs to the network issue")
ELSEWHERE(C31_teardown_removes_the_veth_and_never_fails_the_remove,
          "C31 belongs to the network issue: without networks no link is left, which "
          "every test's teardown compares")
ELSEWHERE(C35_a_deployment_comes_up_from_its_yaml, "C35 belongs to the deployment issue")

TESTS(elsewhere_tests,
      ANY_RUNTIME(C04_a_distro_can_be_bootstrapped_from_a_tarball_or_an_image),
      ANY_RUNTIME(C06_interface_names_are_deterministic_and_at_most_15_bytes),
      ANY_RUNTIME(C08_tokens_credential_helpers_and_ca_files),
      ANY_RUNTIME(C17_the_network_is_there_before_the_first_instruction),
      ANY_RUNTIME(C29_a_recorded_address_is_programmed_at_start),
      ANY_RUNTIME(C30_overlay_is_best_effort_and_a_person_s_network_strict),
      ANY_RUNTIME(C31_teardown_removes_the_veth_and_never_fails_the_remove),
      ANY_RUNTIME(C35_a_deployment_comes_up_from_its_yaml));
