/// A running handler: the client that waits for it, and its progress.
struct Call {
    enum Stage {
        case statement
        /// A transaction waits for a connection, then for each statement.
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
    /// The number of the client's connection (`World.connectionCount`).
    let connection: Int
    let request: Int
    var stage: Stage
    /// The request's deadline.
    let deadline: Moment
    /// The statement that the handler waits for.
    var statement = 0
    /// The statement whose effect the answer acknowledges.
    var effect = 0
    /// The connection that it has leased.
    var lent: Int?
    var failure = 0
    var isOver = false
}
