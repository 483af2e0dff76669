import Postgres
import Reactor

/// Divides the descriptors that the process may open: it reserves those that the database, secrets, name resolution and
/// the server itself need, and gives the rest to clients. Otherwise clients that stay connected could prevent the pool
/// from reconnecting to a database that has returned.
struct DescriptorBudget: Equatable, Sendable {
    /// Connections on `ADMIN_PORT`, if it is set: operators and scrapers.
    static let adminConnectionLimit = 100
    /// With fewer places for clients than this, and fewer than configured, the start fails.
    static let fewestConnections = 4
    /// For reading a secret, or the credentials for it, over HTTPS.
    private static let secretCount = 8
    /// For signals and the runtime, and for files that are open briefly: files of /proc, the certificates.
    private static let spareCount = 8

    /// `RLIMIT_NOFILE`.
    let limit: Int
    /// Descriptors reserved from clients.
    let reserved: Int
    /// Places for clients: at most `MAX_CONNECTIONS`.
    let connections: Int
    /// Places on `ADMIN_PORT`; 0 without one.
    let adminConnections: Int
    private let wanted: Int

    /// - Parameters:
    ///   - limit: descriptors that the process may have open at once.
    ///   - open: those that are open before loops, listeners and the pool are created.
    /// - Throws: when too few are left for clients.
    init(_ configuration: Configuration, limit: Int, open: Int) throws(Shortage) {
        let http = configuration.http
        let servers = http.adminPort == nil ? 1 : 2
        var reserved = open + Self.spareCount
        reserved += http.workers * (EventLoop.descriptorCount + servers * Listener.descriptorCount)
        reserved += Database.descriptorCount(loops: http.workers, maximum: configuration.database.poolMaximum)
        if configuration.database.secretID != nil { reserved += Self.secretCount }
        self.limit = limit
        self.reserved = reserved
        wanted = http.maxConnections
        let rest = limit - reserved
        adminConnections =
            http.adminPort == nil ? 0 : min(http.maxConnections, Self.adminConnectionLimit, max(2, rest / 10))
        connections = min(http.maxConnections, rest - adminConnections)
        let fewest = min(http.maxConnections, Self.fewestConnections)
        guard connections >= fewest else {
            throw Shortage(limit: limit, needed: reserved + adminConnections + fewest)
        }
    }

    /// A warning for an operator; nil when nothing was lowered.
    var warning: String? {
        guard connections < wanted else { return nil }
        return """
            MAX_CONNECTIONS is lowered from \(wanted) to \(connections): \(limit) descriptors may be open (RLIMIT_NOFILE), and \
            \(limit - connections) are kept for the database and the server itself
            """
    }

    /// Too few descriptors to serve clients.
    struct Shortage: Error, Equatable, CustomStringConvertible {
        let limit: Int
        let needed: Int

        var description: String {
            "\(limit) descriptors may be open (RLIMIT_NOFILE), and at least \(needed) are needed"
        }
    }
}
