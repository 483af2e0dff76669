import Platform

@testable import AWS

/// Time that stands still until it is told otherwise; a sleep lets it pass at once.
final class TestTime: Sendable {
    private let elapsed = Lock<UInt64>(0)
    private let pauses = Lock<[Int]>([])
    private let chance: Double

    /// Any moment of 2024.
    static let start: Int64 = 1_720_000_000

    init(fraction: Double = 0) {
        chance = fraction
    }

    func pass(_ duration: Duration) {
        elapsed.withLock { $0 += duration.nanoseconds }
    }

    /// Every sleep that was asked for, in milliseconds.
    var sleeps: [Int] { pauses.withLock { $0 } }

    var source: TimeSource {
        TimeSource(
            // Not from zero, so that a moment before the start can be told from none.
            monotonic: { Instant(nanoseconds: self.elapsed.withLock { $0 } + 5_000_000_000) },
            utcSeconds: { Self.start + Int64(self.elapsed.withLock { $0 } / 1_000_000_000) },
            sleep: { duration in
                self.pauses.withLock { $0.append(duration.milliseconds) }
                self.pass(duration)
            },
            fraction: { self.chance })
    }
}

/// What happened, in order, whoever notes it.
final class Log<Entry: Sendable>: Sendable {
    private let notes = Lock<[Entry]>([])

    func note(_ entry: Entry) { notes.withLock { $0.append(entry) } }
    var entries: [Entry] { notes.withLock { $0 } }
}

/// Answers one after the other; the last one stays.
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
    /// Keys in variables, everything else on the given server, nothing on the real network.
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

    /// Without keys, so that the instance's role is asked for.
    static func instance(_ url: String) -> Environment {
        var environment = Environment()
        environment.metadataServiceEndpoint = url
        return environment
    }
}

/// A port of the loopback where nobody listens.
let nobody = "http://127.0.0.1:1"

/// Everything that printing, interpolating, reflecting and dumping show of a value.
func renderings(of value: Any) -> String {
    var dumped = ""
    dump(value, to: &dumped)
    return "\(value) \(String(reflecting: value)) \(dumped)"
}
