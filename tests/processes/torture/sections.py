"""What can be done to a cluster while bots play on it. Each section gets the options, how often it is to do it, and a
folder of its own; it prints its figures and raises Failed when something does not hold. Add one: a function, and a line
in `sections`."""

import itertools
import random
import signal
import subprocess
import time

from audit import audit
from cluster import Cluster, Failed, die_with_parent, wait_until
from players import Bots, percentile, say
from proxy import BACK, FORTH

trade_settings = {"module.trade.test_payments": "true", "module.trade.first_gold": 100}


def spread(values: list, unit: float = 1.0, name: str = "s") -> str:
    return (f"p50 {percentile(values, 0.5) * unit:.2f} {name}, p99 {percentile(values, 0.99) * unit:.2f} {name}, "
            f"most {max(values, default=0) * unit:.2f} {name}")


def in_turn(names: list, generator: random.Random):
    """All of them, in another order each time round."""
    while True:
        yield from generator.sample(names, len(names))


def progress(number: int, count: int, text: str, took: float = 0) -> None:
    """All lines of a short run; of a long one each tenth, and those that took long."""
    if count <= 20 or number % 10 == 0 or number == count or took > 5:
        say(f"  {number}/{count}  {text}")


def finish(cluster: Cluster, bots: Bots) -> dict:
    """Every node is killed before the audit, so that only what is on the disk counts."""
    report = bots.stop()
    for name in cluster.nodes:
        cluster.kill(name)
    result = audit(cluster.database, [bots.ledger], trade_settings["module.trade.first_gold"])
    say(f"  audit: {result}")
    say(f"  bots: {report['requests']} requests, {report['resumes']} resumes, {report['resumed_with_gap']} with a gap, "
        f"{report['reconnects']} new sessions, {report['unknown']} without an answer, {report['errors']} errors")
    if result.problems or report["errors"] > 0:
        raise Failed("the database or what the bots have seen is not as it must be")
    if result.confirmed == 0:
        raise Failed("nothing was confirmed to the bots")
    return report


def kills(options, count: int, folder) -> None:
    """kill -9 of one node after the other, at random moments; sometimes of a second one before the first is back."""
    # On a slow disk much is under way at any moment: asked for and not yet stored, or stored and not yet confirmed.
    generator = random.Random(options.seed)
    took = {}
    killed = 0
    with Cluster(options.binary, folder, trade_settings, disk_ms=options.disk_ms) as cluster, \
            Bots(cluster, "trade", options.bots, options.rate, options.seed) as bots:
        bots.wait_all_play("at first")
        victims = in_turn(list(cluster.nodes), generator)
        for number in range(1, count + 1):
            name = next(victims)
            names = [name]
            if generator.random() < 0.2:
                names.append(generator.choice([other for other in cluster.nodes if other != name]))
            began = time.monotonic()
            for victim in names:
                time.sleep(generator.random() * 0.3)  # the moment is drawn; nothing is waited for
                cluster.kill(victim)
                killed += 1
            for victim in names:
                cluster.start(victim)
            cluster.wait_ready()
            bots.wait_all_play(f"after kill {number} ({', '.join(names)})")
            role = cluster.nodes[name].role
            took.setdefault(role, []).append(time.monotonic() - began)
            progress(number, count, f"{', '.join(names)}: all play on {time.monotonic() - began:.2f} s after it was killed",
                     time.monotonic() - began)
        finish(cluster, bots)
    say(f"  {count} cycles of kill -9, {killed} processes killed, over all roles")
    for role, times in took.items():
        say(f"  {role} killed {len(times)} times; until all bots had a confirmed change again: {spread(times)}")


def pauses(options, count: int, folder) -> None:
    """SIGSTOP of a game until all its players play on the other one, then SIGCONT."""
    settings = {**trade_settings, "cluster.link_timeout_ms": 1000, "game.resume_seconds": 5}
    series, players = "gameserver_commit_fenced_total", "gameserver_game_players"
    refused, dropped, away = [], [], []
    with Cluster(options.binary, folder, settings) as cluster, \
            Bots(cluster, "trade", options.bots, options.rate, options.seed) as bots:
        bots.wait_all_play("at first")
        games = itertools.cycle([node.name for node in cluster.of("game")])
        for number in range(1, count + 1):
            name = next(games)
            before, held = cluster.metric(name, series), cluster.metric(name, players)
            log = cluster.log(name)
            position = log.stat().st_size
            if held == 0:
                raise Failed(f"nobody plays on {name}: its pause would prove nothing")
            cluster.signal(name, signal.SIGSTOP)
            away.append(bots.wait_all_play(f"while {name} is paused (pause {number})"))
            cluster.signal(name, signal.SIGCONT)
            wait_until(f"{name} is told FENCED after pause {number}", lambda: cluster.metric(name, series) > before,
                       check=bots.check)
            # A player in two games would count twice.
            dropped.append(wait_until(f"each player is in one game after pause {number}",
                                      lambda: cluster.sum("game", players) == options.bots, check=bots.check))
            bots.wait_all_play(f"after pause {number}")
            refused.append(cluster.metric(name, series) - before)
            with open(log, errors="replace") as file:
                file.seek(position)
                said = sum("has a newer owner: dropped here, nothing saved" in line for line in file)
            if said == 0:
                raise Failed(f"{name} was told FENCED and did not say so in its log")
            progress(number, count, f"{name}: held {held:.0f} players, {refused[-1]:.0f} writes FENCED, {said} log lines")
        finish(cluster, bots)
    say(f"  {count} pauses, {sum(refused):.0f} writes refused as FENCED, at least {min(refused):.0f} a pause; "
        "stale writes accepted: 0 (by the audit)")
    say(f"  from the pause until all play on the other game: {spread(away)}; "
        f"from waking up until all stale players were dropped: {spread(dropped)}")


def failovers(options, count: int, folder) -> None:
    """kill -9 of the gateway that all bots are connected to; they send each other numbered messages."""
    players = "gameserver_gateway_players"
    number_of_bots = options.failover_bots
    with Cluster(options.binary, folder, {}) as cluster, \
            Bots(cluster, "whisper", number_of_bots, options.rate / 2, options.seed) as bots:
        whispers = 'gameserver_request_seconds_count{command="Whisper"}'

        def wait_play(when: str) -> None:
            before = cluster.sum("game", whispers)
            wait_until(f"play goes on {when}", lambda: cluster.sum("game", whispers) > before + 5 * number_of_bots,
                       check=bots.check)

        wait_until("all bots are in", lambda: cluster.sum("gateway", players) == number_of_bots, check=bots.check)
        wait_play("at first")
        expected = 0
        # The first kill brings all of them to one gateway.
        for name in itertools.islice(itertools.cycle([node.name for node in cluster.of("gateway")]), count + 1):
            held = int(cluster.metric(name, players))
            cluster.kill(name)
            took = wait_until("all bots are back", lambda: cluster.sum("gateway", players) == number_of_bots,
                              check=bots.check)
            cluster.start(name)
            cluster.wait_ready()
            wait_play(f"without {name}")
            expected += held
            say(f"  {name} killed: {held} of {number_of_bots} bots were on it; all were on the other one within {took:.2f} s")
        report = bots.stop()
    say(f"  {report['resumes']} of {expected} resumed, {report['resumed_with_gap']} with a gap; took "
        f"p50 {report['resume_us']['p50'] / 1000:.1f} ms, p99 {report['resume_us']['p99'] / 1000:.1f} ms, "
        f"most {report['resume_us']['most'] / 1000:.1f} ms")
    say(f"  {report['requests']} messages sent, {report['pushes']} received, {report['errors']} lost, doubled or out of order")
    if report["errors"] > 0:
        raise Failed("messages were lost, doubled or out of order")
    if report["resumes"] != expected or report["resumed_with_gap"] > 0 or report["reconnects"] > 0:
        raise Failed("not all of them resumed without a gap")


def carries_trades(place: str) -> bool:
    roles = {name.split("-")[0] for name in place.split()}
    return "clients" in roles or ("game" in roles and "login" not in roles) or roles == {"center", "gateway"}


def faults(options, count: int, folder) -> None:
    """Faults of the network between any two nodes, and between clients and gateways."""
    settings = {**trade_settings, "cluster.link_timeout_ms": 1000}
    generator = random.Random(options.seed)
    kinds = {
        "late": lambda proxy: proxy.late(0.02 + 0.2 * generator.random()),
        "slow": lambda proxy: proxy.slow(generator.choice([500, 5_000, 50_000])),
        "silent both ways": lambda proxy: proxy.silence(FORTH, BACK),
        "silent from who dialled": lambda proxy: proxy.silence(FORTH),
        "silent to who dialled": lambda proxy: proxy.silence(BACK),
        "cut in a frame": lambda proxy: proxy.cut(),
    }
    seen = dict.fromkeys(kinds, 0)
    took = []
    with Cluster(options.binary, folder, settings, generator=generator) as cluster, \
            Bots(cluster, "trade", options.bots, options.rate, options.seed) as bots:
        bots.wait_all_play("at first")
        used = [name for name in sorted(cluster.proxies) if cluster.proxies[name].connections]
        # Where a trade passes, three times as often as where only heartbeats do.
        used += 2 * [name for name in used if carries_trades(name)]
        drawn = in_turn(list(kinds), generator)
        for number in range(1, count + 1):
            kind = next(drawn)
            places = sorted(set(generator.sample(used, generator.choice([1, 1, 2]))))
            for place in places:
                kinds[kind](cluster.proxies[place])
            seen[kind] += 1
            # How long it lasts is drawn, around the time after which a silent link is given up.
            time.sleep(0.2 + 2.3 * generator.random())
            # What waited in a silence may also be lost with its connection.
            lost = kind.startswith("silent") and generator.random() < 0.5
            for place in places:
                if lost:
                    cluster.proxies[place].abort()
                cluster.proxies[place].heal()
            took.append(bots.wait_all_play(f"after fault {number} ({kind}: {', '.join(places)})"))
            progress(number, count, f"{kind}{', then cut' if lost else ''}: {', '.join(places)}; "
                                    f"all play on {took[-1]:.2f} s after it ended", took[-1])
        cuts = sum(proxy.cuts for proxy in cluster.proxies.values())
        finish(cluster, bots)
    say(f"  {count} faults at {len(set(used))} places: " + ", ".join(f"{kind} {times}" for kind, times in seen.items() if times)
        + f"; {cuts} connections ended in the middle of a frame")
    say(f"  until all bots had a confirmed change again: {spread(took)}")


def drain(options, cluster: Cluster, name: str, seconds: int) -> subprocess.Popen:
    """The operator's command, running."""
    words = [options.binary, "admin", "drain", name, "--config", cluster.config(name), "--seconds", seconds]
    return subprocess.Popen([str(word) for word in words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                            cwd=cluster.folder, preexec_fn=die_with_parent)


def drains(options, count: int, folder) -> None:
    """`gameserver admin drain` of a game that all play on, with a kill -9 of any node in the midst of it; between two of
    these one that nobody disturbs."""
    generator = random.Random(options.seed)
    players = "gameserver_game_players"
    quiet, killed, by_victim = [], [], {}
    with Cluster(options.binary, folder, trade_settings) as cluster, \
            Bots(cluster, "trade", options.bots, options.rate, options.seed) as bots:
        bots.wait_all_play("at first")
        games = itertools.cycle([node.name for node in cluster.of("game")])
        victims = in_turn(list(cluster.nodes), generator)

        def empty(name: str, when: str) -> None:
            """The order is repeated, as it is gone with a game that was killed."""
            def is_empty() -> bool:
                return drain(options, cluster, name, 20).wait() == 0
            wait_until(f"{name} is empty {when}", is_empty, check=bots.check)
            wait_until(f"each player is in one game {when}", lambda: cluster.metric(name, players) == 0
                       and cluster.sum("game", players) == options.bots, check=bots.check)

        def undrain(name: str) -> None:
            words = [options.binary, "admin", "undrain", name, "--config", cluster.config(name)]
            if subprocess.run([str(word) for word in words], cwd=cluster.folder, stdout=subprocess.DEVNULL).returncode != 0:
                raise Failed(f"{name} cannot be told to take players again")

        took = 0.2  # seconds of the last one that nobody disturbed
        for number in range(1, count + 1):
            name = next(games)
            began = time.time()
            empty(name, f"before drain {number}")
            took = time.time() - began
            bots.wait_all_play(f"before drain {number}")
            quiet += bots.longest_answers(began, time.time())
            undrain(name)

            name, victim = next(games), next(victims)
            began = time.time()
            command = drain(options, cluster, name, 1)
            time.sleep(generator.random() * took)  # the moment is drawn; nothing is waited for
            cluster.kill(victim)
            cluster.start(victim)
            cluster.wait_ready(besides=name)  # a game that is drained is not
            command.wait()
            empty(name, f"after drain {number} and the kill of {victim}")
            bots.wait_all_play(f"after drain {number} and the kill of {victim}")
            killed += bots.longest_answers(began, time.time())
            by_victim[victim] = by_victim.get(victim, 0) + 1
            undrain(name)
            progress(number, count, f"{name} drained, {victim} killed: all play on {time.time() - began:.2f} s after the order",
                     time.time() - began)
        finish(cluster, bots)
    say(f"  {count} drains with a kill ({', '.join(f'{victim} {times}' for victim, times in sorted(by_victim.items()))}), "
        f"{count} without; after each of them every player was in one game")
    say(f"  longest wait of a client for an answer, undisturbed: {spread(quiet, 1000, 'ms')}")
    say(f"  longest wait of a client for an answer, with a kill: {spread(killed)}")


sections = {"kills": kills, "pauses": pauses, "failovers": failovers, "faults": faults, "drains": drains}
