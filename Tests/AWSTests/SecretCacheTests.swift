import Glibc
import Testing

@testable import AWS

private func secret(_ user: String) throws -> DatabaseSecret {
    try DatabaseSecret(#"{"username":"\#(user)","password":"of-\#(user)"}"#)
}

/// A cache with scripted responses, and a record of its requests and events.
private struct Fixture {
    let cache: SecretCache
    let time: TestTime
    private let log = Log<SecretEvent>()
    private let calls = Log<Void>()

    init(fraction: Double = 0, _ answers: Result<DatabaseSecret, SecretError>...) {
        let time = TestTime(fraction: fraction)
        let calls = calls
        let log = log
        self.time = time
        cache = SecretCache(
            time: time.source,
            fetch: { () throws(SecretError) in
                calls.note(())
                return try answers[min(calls.entries.count, answers.count) - 1].get()
            },
            observe: { log.note($0) })
    }

    var fetches: Int { calls.entries.count }
    var events: [SecretEvent] { log.entries }
}

struct SecretCacheTests {
    @Test func `makes no request before it is used`() throws {
        let fixture = Fixture(.success(try secret("a")))
        #expect(fixture.fetches == 0)
        let entry = try fixture.cache.current()
        #expect(entry.secret.username == "a" && entry.generation == 1 && fixture.fetches == 1)
        #expect(fixture.events == [.changed(generation: 1)])
    }

    @Test(arguments: [(0.0, 3600), (0.5, 3150), (0.999, 2701)])
    func `keeps the secret for its lifetime minus a random part`(fraction: Double, seconds: Int) throws {
        let fixture = Fixture(fraction: fraction, .success(try secret("a")), .success(try secret("b")))
        _ = try fixture.cache.current()
        fixture.time.pass(.milliseconds((seconds - 1)) * 1000)
        #expect(try fixture.cache.current().secret.username == "a" && fixture.fetches == 1)
        fixture.time.pass(.milliseconds(1000))
        #expect(try fixture.cache.current().secret.username == "b" && fixture.fetches == 2)
    }

    @Test func `the same secret read again keeps its generation`() throws {
        let fixture = Fixture(.success(try secret("a")))
        _ = try fixture.cache.current()
        fixture.time.pass(SecretCacheState.lifetime)
        #expect(try fixture.cache.current().generation == 1)
        #expect(fixture.fetches == 2 && fixture.events == [.changed(generation: 1), .unchanged])
        fixture.time.pass(SecretCacheState.lifetime - .milliseconds(1))
        #expect(try fixture.cache.current().generation == 1 && fixture.fetches == 2, "for another lifetime")
    }

    @Test func `a refusal by the database fetches at once, user and password together`() throws {
        let fixture = Fixture(.success(try secret("a")), .success(try secret("b")))
        let first = try fixture.cache.current()
        let second = try fixture.cache.refetch(after: first.generation)
        #expect(second.generation == 2 && second.secret.username == "b" && second.secret.password?.exposed == "of-b")
        #expect(try fixture.cache.current() == second && fixture.fetches == 2)
        #expect(fixture.events == [.changed(generation: 1), .changed(generation: 2)])
    }

    @Test func `a login refused with an older secret gets the newer one`() throws {
        let fixture = Fixture(.success(try secret("a")), .success(try secret("b")), .success(try secret("c")))
        _ = try fixture.cache.current()
        _ = try fixture.cache.refetch(after: 1)
        fixture.time.pass(SecretCacheState.refetchInterval)
        #expect(try fixture.cache.refetch(after: 1).generation == 2 && fixture.fetches == 2)
    }

    @Test func `refusals do not fetch more often than allowed`() throws {
        let fixture = Fixture(.success(try secret("a")))
        _ = try fixture.cache.current()
        for _ in 0..<5 { #expect(try fixture.cache.refetch(after: 1).generation == 1) }
        #expect(fixture.fetches == 2)
        fixture.time.pass(SecretCacheState.refetchInterval - .milliseconds(1))
        _ = try fixture.cache.refetch(after: 1)
        #expect(fixture.fetches == 2)
        fixture.time.pass(.milliseconds(1))
        _ = try fixture.cache.refetch(after: 1)
        #expect(fixture.fetches == 3)
    }

    @Test func `a refusal while Secrets Manager is unavailable keeps the secret`() throws {
        let fixture = Fixture(.success(try secret("a")), .failure(.throttled))
        let first = try fixture.cache.current()
        #expect(try fixture.cache.refetch(after: 1) == first)
        #expect(fixture.events.last == .refreshFailed(.throttled))
        _ = try fixture.cache.refetch(after: 1)
        #expect(fixture.fetches == 2, "failures are limited as well")
    }

    @Test func `a secret past its lifetime is kept while Secrets Manager is unavailable`() throws {
        let fixture = Fixture(
            .success(try secret("a")), .failure(.accessDenied("no")), .success(try secret("b")))
        _ = try fixture.cache.current()
        fixture.time.pass(SecretCacheState.lifetime)
        #expect(try fixture.cache.current().secret.username == "a")
        #expect(fixture.events.last == .refreshFailed(.accessDenied("no")))
        fixture.time.pass(SecretCacheState.retryInterval - .milliseconds(1))
        #expect(try fixture.cache.current().secret.username == "a" && fixture.fetches == 2)
        fixture.time.pass(.milliseconds(1))
        #expect(try fixture.cache.current().secret.username == "b" && fixture.fetches == 3)
    }

    @Test func `a failed refetch does not change the end of the lifetime`() throws {
        let fixture = Fixture(.success(try secret("a")), .failure(.throttled), .success(try secret("b")))
        _ = try fixture.cache.current()
        _ = try fixture.cache.refetch(after: 1)
        fixture.time.pass(SecretCacheState.lifetime - .milliseconds(1))
        #expect(try fixture.cache.current().generation == 1 && fixture.fetches == 2)
        fixture.time.pass(.milliseconds(1))
        #expect(try fixture.cache.current().generation == 2 && fixture.fetches == 3)
    }

    @Test func `without a secret the error is thrown and the fetch soon retried`() throws {
        let fixture = Fixture(.failure(.notFound(region: "r")), .success(try secret("a")))
        for _ in 0..<3 {
            #expect(throws: SecretError.notFound(region: "r")) { try fixture.cache.current() }
            #expect(throws: SecretError.notFound(region: "r")) { try fixture.cache.refetch(after: 0) }
        }
        #expect(fixture.fetches == 1 && fixture.events == [.fetchFailed(.notFound(region: "r"))])
        fixture.time.pass(SecretCacheState.failureInterval)
        #expect(try fixture.cache.current().generation == 1 && fixture.fetches == 2)
    }
}

/// Concurrent callers, and fetches that last until a test releases them.
struct SecretCacheThreadTests {
    /// A fetch that reports its start and waits to be released.
    private final class Gate: Sendable {
        private let pipe: (begun: Pipe, go: Pipe) = (Pipe(), Pipe())

        func pass() {
            pipe.begun.write()
            pipe.go.read()
        }
        func waitUntilBegun() { pipe.begun.read() }
        func open() { pipe.go.write() }
    }

    private final class Pipe: Sendable {
        private let ends: (read: Int32, write: Int32)

        init() {
            var numbers: [Int32] = [-1, -1]
            // Two numbers are written into an array of two.
            precondition(unsafe Glibc.pipe(&numbers) == 0, "no pipe")
            ends = (numbers[0], numbers[1])
        }

        deinit {
            close(ends.read)
            close(ends.write)
        }

        func write() {
            var byte: UInt8 = 0
            // One byte, as the count says.
            precondition(unsafe Glibc.write(ends.write, &byte, 1) == 1, "a full pipe")
        }

        func read() {
            var byte: UInt8 = 0
            // One byte, as the count says.
            precondition(unsafe Glibc.read(ends.read, &byte, 1) == 1, "a closed pipe")
        }
    }

    /// A cache with a gate per fetch; a fetch without a gate does not wait.
    private func cache(_ time: TestTime, gates: [Gate?], calls: Log<Void>) -> SecretCache {
        SecretCache(
            time: time.source,
            fetch: { () throws(SecretError) in
                calls.note(())
                let number = calls.entries.count
                if number <= gates.count { gates[number - 1]?.pass() }
                guard let secret = try? secret("user\(number)") else { preconditionFailure("no secret") }
                return secret
            })
    }

    @Test func `concurrent first reads make one fetch`() throws {
        let (gate, calls, found) = (Gate(), Log<Void>(), Log<UInt64?>())
        let cache = cache(TestTime(), gates: [gate], calls: calls)
        let threads = (0..<8).map { _ in Thread { found.note(try? cache.current().generation) } }
        gate.waitUntilBegun()
        gate.open()
        for thread in threads { thread.join() }
        #expect(found.entries == Array(repeating: 1, count: 8) && calls.entries.count == 1)
    }

    @Test func `concurrent refusals make one fetch`() throws {
        let (gate, calls, found) = (Gate(), Log<Void>(), Log<UInt64?>())
        let cache = cache(TestTime(), gates: [nil, gate], calls: calls)
        _ = try cache.current()
        let threads = (0..<8).map { _ in Thread { found.note(try? cache.refetch(after: 1).generation) } }
        gate.waitUntilBegun()
        gate.open()
        for thread in threads { thread.join() }
        #expect(found.entries == Array(repeating: 2, count: 8) && calls.entries.count == 2)
    }

    @Test func `a refresh blocks no caller while a secret is available`() throws {
        let (gate, calls, time, found) = (Gate(), Log<Void>(), TestTime(), Log<UInt64?>())
        let cache = cache(time, gates: [nil, gate], calls: calls)
        _ = try cache.current()
        time.pass(SecretCacheState.lifetime)
        let refresher = Thread { found.note(try? cache.current().generation) }
        gate.waitUntilBegun()
        #expect(try cache.current().generation == 1)
        gate.open()
        refresher.join()
        #expect(found.entries == [2] && calls.entries.count == 2)
        #expect(try cache.current().generation == 2)
    }
}
