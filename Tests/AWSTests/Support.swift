import Platform

@testable import AWS

/// A clock that only a test or a sleep advances; a sleep returns at once.
final class TestTime: Sendable {
    private let elapsed = Lock<UInt64>(0)
    private let pauses = Lock<[Int]>([])
    private let chance: Double

    /// An arbitrary time in 2024.
    static let start: Int64 = 1_720_000_000

    init(fraction: Double = 0) {
        chance = fraction
    }

    func pass(_ duration: Duration) {
        elapsed.withLock { $0 += duration.nanoseconds }
    }

    /// All requested sleeps, in milliseconds.
    var sleeps: [Int] { pauses.withLock { $0 } }

    var source: TimeSource {
        TimeSource(
            // Does not start at zero, so that a time before the start differs from none.
            monotonic: { Instant(nanoseconds: self.elapsed.withLock { $0 } + 5_000_000_000) },
            utcSeconds: { Self.start + Int64(self.elapsed.withLock { $0 } / 1_000_000_000) },
            sleep: { duration in
                self.pauses.withLock { $0.append(duration.milliseconds) }
                self.pass(duration)
            },
            fraction: { self.chance })
    }
}

/// A record of events in order, from any thread.
final class Log<Entry: Sendable>: Sendable {
    private let notes = Lock<[Entry]>([])

    func note(_ entry: Entry) { notes.withLock { $0.append(entry) } }
    var entries: [Entry] { notes.withLock { $0 } }
}

/// Responses in turn; the last one repeats.
final class Script<Answer: Sendable>: Sendable {
    private let answers: Lock<[Answer]>

    init(_ answers: Answer...) {
        self.answers = Lock(answers)
    }

    func next() -> Answer {
        answers.withLock { $0.count > 1 ? $0.removeFirst() : $0[0] }
    }
}

let keys = (id: "AKIDEXAMPLE", secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", token: "session/token+with==")

extension Environment {
    /// Keys in variables, all endpoints on the given server, none on the real network.
    static func test(_ url: String, token: Bool = false) -> Environment {
        var environment = Environment()
        environment.region = "eu-west-1"
        environment.endpointURL = url
        environment.metadataServiceEndpoint = url
        environment.accessKeyID = keys.id
        environment.secretAccessKey = Redacted(keys.secret)
        if token { environment.sessionToken = Redacted(keys.token) }
        return environment
    }

    /// Without keys, so that the instance's role is used.
    static func instance(_ url: String) -> Environment {
        var environment = Environment()
        environment.metadataServiceEndpoint = url
        return environment
    }
}

/// A loopback port without a listener.
let nobody = "http://127.0.0.1:1"

/// All text that printing, interpolating, reflecting and dumping a value produce.
func renderings(of value: Any) -> String {
    var dumped = ""
    dump(value, to: &dumped)
    return "\(value) \(String(reflecting: value)) \(dumped)"
}
