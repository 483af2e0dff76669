/// A handler that has begun to answer a request: who waits for it, and how far it is.
struct Call {
    enum Stage {
        case statement
        /// Of a transaction: a connection is waited for, then each statement.
        case lease, begin, body, commit, rollback
        case task

        var isOfTransaction: Bool {
            switch self {
            case .begin, .body, .commit, .rollback: true
            case .statement, .lease, .task: false
            }
        }
    }

    let client: Int
    /// The client's connection, of the whole run.
    let connection: Int
    let request: Int
    var stage: Stage
    /// Of the request.
    let deadline: Moment
    /// The statement that is waited for.
    var statement = 0
    /// The statement whose effect the client is told of.
    var effect = 0
    /// What it leases.
    var lent: Int?
    var failure = 0
    var isOver = false
}
