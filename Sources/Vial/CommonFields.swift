import Formatting
import HTTP1
import Platform
import Reactor

/// The fields `Server`, `X-Content-Type-Options` and `Date` of every response, rendered once per second.
struct CommonFields {
    private let server: [UInt8]
    private var clock = WallClock()
    private var second: UInt64 = 0
    private var rendered: [UInt8] = []

    /// - Parameter server: a token of RFC 9110 §5.6.2.
    init(server: String) {
        precondition(ResponseEncoder.isServerName(server), "'\(server)' is not valid in the Server field")
        self.server = Array("Server: \(server)\r\nX-Content-Type-Options: nosniff\r\nDate: ".utf8)
    }

    /// The lines, without the final CRLF; `Date` is the IMF-fixdate of `now`.
    mutating func bytes(at now: Instant) -> [UInt8] {
        let current = clock.utc(now) / 1_000_000_000
        if current != second {
            second = current
            rendered.removeAll(keepingCapacity: true)
            rendered.append(contentsOf: server)
            rendered.append(imfFixdate: CivilTime(secondsSinceEpoch: Int(current)))
        }
        return rendered
    }
}
