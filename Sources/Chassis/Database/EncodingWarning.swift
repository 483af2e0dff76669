import Logging
import Postgres
import Synchronization

/// Logs, once, that the database cannot store every text that a client may send.
final class EncodingWarning: Sendable {
    private let logger: Logger
    private let isTold = Atomic(false)

    init(_ logger: Logger) {
        self.logger = logger
    }

    func look(at session: Session) {
        guard let encoding = session.serverEncoding, encoding != "UTF8" else { return }
        if isTold.exchange(true, ordering: .relaxed) { return }
        logger.warning("The database's encoding is not UTF8", metadata: ["server_encoding": "\(encoding)"])
    }
}
