#!/usr/bin/env python3
"""That the audit finds what must not be, and that the proxy does to a connection what it says."""

import json
import random
import socket
import sqlite3
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
from audit import audit
from proxy import BACK, FORTH, Network


class AuditTest(unittest.TestCase):
    """Player 1 gives 2 five pieces (a), is refused another time (b), and has a payment of 7 (c); who knows about (d)."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.database, self.ledger = Path(self.folder.name) / "game.db", Path(self.folder.name) / "ledger"
        self.lines = [
            {"player": "1", "change": "a", "kind": "give", "to": "2", "gold": 5, "state": "asked", "at": 1},
            {"player": "1", "change": "a", "state": "unknown", "at": 2, "us": 1},
            {"player": "1", "change": "a", "state": "done", "at": 3, "us": 1},
            {"player": "1", "change": "b", "kind": "give", "to": "2", "gold": 3, "state": "asked", "at": 4},
            {"player": "1", "change": "b", "state": "refused", "at": 5, "us": 1},
            {"player": "1", "change": "c", "kind": "payment", "gold": 7, "state": "asked", "at": 6},
            {"player": "1", "change": "c", "state": "done", "at": 7, "us": 1},
            {"player": "2", "change": "d", "kind": "payment", "gold": 4, "state": "asked", "at": 8},
            {"player": "2", "change": "d", "state": "unknown", "at": 9, "us": 1},
        ]
        self.records = {("deal", "a"): 1, ("payment", "c"): 1}
        self.purses = {1: 102, 2: 105}

    def tearDown(self):
        self.folder.cleanup()

    def problems(self):
        self.ledger.write_text("".join(json.dumps(line) + "\n" for line in self.lines))
        self.database.unlink(missing_ok=True)
        connection = sqlite3.connect(self.database)
        connection.executescript("CREATE TABLE component (kind, id, name, data); CREATE TABLE record (space, key, version, data)")
        connection.executemany("INSERT INTO component VALUES ('player', ?, 'purse', ?)",
                               [(player, json.dumps({"gold": gold, "opened": True})) for player, gold in self.purses.items()])
        connection.executemany("INSERT INTO record VALUES (?, ?, 1, ?)",
                               [(space, key, json.dumps({"player": player})) for (space, key), player in self.records.items()])
        connection.commit()
        connection.close()
        return audit(self.database, [self.ledger]).problems

    def test_sound(self):
        self.assertEqual(self.problems(), [])

    def test_unknown_one_may_be_done(self):
        self.records["payment", "d"], self.purses[2] = 2, 109
        self.assertEqual(self.problems(), [])

    def test_confirmed_give_is_lost(self):
        del self.records["deal", "a"]
        self.purses = {1: 107, 2: 100}
        self.assertEqual(self.problems(), ["give a of player 1 was confirmed and is lost"])

    def test_refused_give_is_done(self):
        self.records["deal", "b"] = 1
        self.purses = {1: 99, 2: 108}
        self.assertEqual(self.problems(), ["give b of player 1 was refused and is done"])

    def test_half_of_a_give(self):
        self.purses[2] = 100
        found = self.problems()
        self.assertIn("player 2 has 100 gold; 105 are due", found)
        self.assertIn("there are 202 gold; first gifts and payments make 207 to 211", found)

    def test_payment_twice(self):
        self.purses[1] = 109
        self.assertIn("player 1 has 109 gold; 102 are due", self.problems())

    def test_payment_of_another(self):
        self.records["payment", "c"] = 2
        self.assertIn("payment c of player 1 is that of player 2", self.problems())

    def test_nobody_asked(self):
        self.records["payment", "e"] = 1
        self.assertEqual(self.problems(), ["payment e is done, and nobody asked for it"])

    def test_purse_is_gone(self):
        del self.purses[2]
        self.assertIn("player 2 has no purse; 105 gold are due", self.problems())


class Echo:
    """Sends back what comes; keeps what came."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.came = bytearray()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.echo, args=(connection,), daemon=True).start()

    def echo(self, connection):
        try:
            while data := connection.recv(65536):
                self.came += data
                connection.sendall(data)
        except OSError:
            pass
        connection.close()

    def close(self):
        self.listener.close()


class ProxyTest(unittest.TestCase):
    def setUp(self):
        self.echo, self.network = Echo(), Network()
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.proxy = self.network.proxy("echo", port, self.echo.port, random.Random(1))
        self.client = socket.create_connection(("127.0.0.1", port))
        self.client.settimeout(10)

    def tearDown(self):
        self.client.close()
        self.network.close()
        self.echo.close()

    def receive(self, count):
        data = b""
        while len(data) < count:
            piece = self.client.recv(count - len(data))
            if not piece:
                break
            data += piece
        return data

    def hears_nothing(self):
        self.client.settimeout(0.1)
        try:
            return not self.client.recv(1)
        except TimeoutError:
            return True
        finally:
            self.client.settimeout(10)

    def until_came(self, is_it):
        deadline = time.monotonic() + 10
        while not is_it(bytes(self.echo.came)):
            self.assertLess(time.monotonic(), deadline, bytes(self.echo.came))
            time.sleep(0.001)

    def test_all_bytes_pass_in_order(self):
        data = random.Random(2).randbytes(2_000_000)
        sender = threading.Thread(target=self.client.sendall, args=(data,))
        sender.start()
        self.assertEqual(self.receive(len(data)), data)
        sender.join()

    def test_delay(self):
        self.proxy.late(0.1)
        began = time.monotonic()
        self.client.sendall(b"x")
        self.assertEqual(self.receive(1), b"x")
        self.assertGreaterEqual(time.monotonic() - began, 0.2)

    def test_slow(self):
        self.proxy.slow(10_000)
        began = time.monotonic()
        self.client.sendall(bytes(2_000))
        self.assertEqual(len(self.receive(2_000)), 2_000)
        self.assertGreaterEqual(time.monotonic() - began, 0.2)

    def test_silence_one_way_and_its_end(self):
        self.proxy.silence(BACK)
        self.client.sendall(b"heard")
        self.until_came(lambda came: came == b"heard")
        self.assertTrue(self.hears_nothing())
        self.proxy.heal()
        self.assertEqual(self.receive(5), b"heard")
        self.proxy.silence(FORTH)
        self.client.sendall(b", again")
        self.assertTrue(self.hears_nothing())
        self.assertEqual(bytes(self.echo.came), b"heard")
        self.proxy.heal()
        self.assertEqual(self.receive(7), b", again")

    def test_cut_in_the_middle(self):
        self.client.sendall(b"first")
        self.assertEqual(self.receive(5), b"first")
        self.proxy.cut()
        self.client.sendall(b"a frame that does not arrive whole")
        try:
            rest = self.receive(100)
        except ConnectionResetError:
            rest = b""
        self.assertEqual(rest, b"")
        self.assertEqual(self.proxy.cuts, 1)
        self.until_came(lambda came: b"first" < came < b"firsta frame that does not arrive whole")

    def test_nobody_listens(self):
        self.echo.close()
        with socket.create_connection(("127.0.0.1", self.proxy.listen)) as other:
            other.settimeout(10)
            try:
                self.assertEqual(other.recv(1), b"")
            except ConnectionResetError:
                pass


if __name__ == "__main__":
    unittest.main()
