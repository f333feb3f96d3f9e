#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Restart policies, health checks and log options, as a person sees them.
# bats file_tags=any-runtime
load lib/busybox

has_restarted() { [[ $(inspect "$1" '{{.RestartCount}}') -ge $2 ]]; }

@test "on-failure: again and again, so often and no more" {
    ok run -d --name r --restart on-failure:2 "$IMAGE" sh -c 'echo run; exit 3'
    within 20 is_status r exited
    same "$(dray logs r | grep -c run)" 3
    same "$(inspect r '{{.RestartCount}} {{.HostConfig.RestartPolicy.Name}}')" "2 on-failure"
    ok wait r
    same "$output" 3
}

@test "always: between two runs ps says restarting, stop ends it" {
    ok run -d --name r --restart always "$IMAGE" sh -c 'exit 1'
    within 20 has_restarted r 2
    seen() { dray ps --filter status=restarting --format '{{.Status}}' | grep -q '^Restarting (1) '; }
    within 20 seen
    ok stop r
    is_status r exited
    sleep 1
    is_status r exited
}

@test "health: starting, healthy, unhealthy" {
    ok run -d --name h --health-cmd 'test ! -e /sick' --health-interval 200ms \
        --health-retries 2 --health-timeout 5s "$IMAGE" sleep 100
    healthy() { dray ps --format '{{.Status}}' | grep -q '(healthy)$'; }
    within 20 healthy
    ok ps -q --no-trunc --filter health=healthy
    same "$output" "$(full_id h)"
    ok exec h touch /sick
    sick() { [[ $(inspect h '{{.State.Health.Status}}') == unhealthy ]]; }
    within 20 sick
    ok ps --filter health=unhealthy --format '{{.Status}}'
    has "$output" "(unhealthy)"
}

@test "log options: rotation, and no log" {
    ok run --name l --log-opt max-size=10k --log-opt max-file=2 "$IMAGE" \
        sh -c 'i=0; while [ $i -lt 3000 ]; do echo "line $i"; i=$((i+1)); done'
    ok logs --tail 1 l
    same "$output" "line 2999"
    ((  $(dray logs l | wc -l) < 2500 ))
    ok run --name n --log-driver none "$IMAGE" echo seen
    same "$output" seen
    refused 1 "n keeps no log" -- logs n
}
