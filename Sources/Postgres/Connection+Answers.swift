import CPostgres

// Receiving answers.
extension Connection {
    /// Processes what libpq has read.
    ///
    /// - Returns: why the connection is unusable; nil if it is usable.
    func collect(into heard: inout [PoolState.Heard], _ statements: inout StatementTable) -> DatabaseError? {
        var endedStatement = false
        var loss: DatabaseError?
        while let next = expected.first, unsafe PQisBusy(handle.pointer) == 0 {
            guard let result = unsafe PQgetResult(handle.pointer) else {
                // The end of one statement's results. A second one means that libpq and this list disagree, or that the
                // connection broke.
                if endedStatement { return .connectionLost }
                endedStatement = true
                continue
            }
            endedStatement = false
            do throws(DatabaseError) {
                switch next {
                case .sync:
                    guard unsafe try isSync(result, into: &heard) else { continue }
                    confirm(into: &heard)
                case .answer(let statement, let id):
                    let outcome = unsafe try outcome(of: result)
                    loss = outcome?.loss ?? loss
                    settle(outcome, of: statement, id, into: &heard, &statements)
                case .group(let statement, let group):
                    let outcome = unsafe try outcome(of: result)
                    loss = outcome?.loss ?? loss
                    try settle(outcome, of: statement, group, into: &heard, &statements)
                }
            } catch {
                return error
            }
            expected.removeFirst()
            if loss == .connectionLost { return loss }
        }
        return loss
    }

    /// Whether the server confirmed a Sync. If not, its commit failed, and the confirmation follows.
    ///
    /// - Throws: the error that ended the connection, or `DatabaseError.unexpectedResult` if the result is no answer to
    ///   a Sync.
    private func isSync(
        _ result: OpaquePointer, into heard: inout [PoolState.Heard]
    ) throws(DatabaseError) -> Bool {
        defer { unsafe PQclear(result) }
        switch unsafe PQresultStatus(result) {
        case PGRES_PIPELINE_SYNC: return true
        case PGRES_FATAL_ERROR:
            let error = unsafe Handle.error(in: result)
            if error.retiresConnection { throw error }
            heard.append(.commitFailed(error))
            return false
        case let status: throw .unexpectedResult("status \(status.rawValue) where a Sync was due")
        }
    }

    /// The Sync of everything answered since the previous one.
    private func confirm(into heard: inout [PoolState.Heard]) {
        heard.append(
            .synced(count: answeredCount, isComplete: isComplete, wasWarned: handle.endedReplicationWait))
        handle.endedReplicationWait = false
        answeredCount = 0
        isComplete = true
    }

    /// The server's answer to one statement or to several merged ones; nil if it skipped them after another one's
    /// failure.
    ///
    /// - Throws: `DatabaseError.unexpectedResult` if the result is no answer to a statement.
    private func outcome(of result: OpaquePointer) throws(DatabaseError) -> Result<Execution, DatabaseError>? {
        // Cleared here, or by the execution that takes it over.
        let status = unsafe PQresultStatus(result)
        if status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK {
            return .success(unsafe Execution(owning: result, isUTF8: isUTF8))
        }
        defer { unsafe PQclear(result) }
        switch status {
        case PGRES_PIPELINE_ABORTED: return nil
        case PGRES_FATAL_ERROR: return .failure(unsafe Handle.error(in: result))
        default: throw .unexpectedResult("status \(status.rawValue)")
        }
    }

    private func settle(
        _ outcome: Result<Execution, DatabaseError>?, of statement: Statement, _ id: PoolState.Request.ID,
        into heard: inout [PoolState.Heard], _ statements: inout StatementTable
    ) {
        switch outcome {
        case nil: isComplete = false
        case .failure(let error)?: heard.append(.failed([id], error, isPrepared: isPrepared(statement)))
        case .success(let execution)?:
            guard hold(execution, of: statement) else { return heard.append(.unheld([id])) }
            statements.store(Rows(execution), for: id)
        }
        answeredCount += 1
    }

    private func settle(
        _ outcome: Result<Execution, DatabaseError>?, of statement: Statement, _ group: [PoolState.Request.ID],
        into heard: inout [PoolState.Heard], _ statements: inout StatementTable
    ) throws(DatabaseError) {
        switch outcome {
        case nil: isComplete = false
        case .failure(let error)?: heard.append(.failed(group, error, isPrepared: isPrepared(statement)))
        case .success(let execution)?:
            guard hold(execution, of: statement) else { return heard.append(.unheld(group)) }
            if let error = try Self.share(execution, of: statement, among: group, &statements) {
                heard.append(.failed(group, error, isPrepared: false))
            }
        }
        answeredCount += group.count
    }

    /// Gives each merged statement its row.
    ///
    /// - Returns: an error if a lookup's result has no key column.
    /// - Throws: `DatabaseError.unexpectedResult` if merged inserts returned another number of rows. They must not run
    ///   again.
    private static func share(
        _ execution: Execution, of statement: Statement, among group: [PoolState.Request.ID],
        _ statements: inout StatementTable
    ) throws(DatabaseError) -> DatabaseError? {
        guard statement.kind != .insert else {
            guard execution.count == group.count else {
                throw .unexpectedResult("\(execution.count) rows of \(group.count) inserts")
            }
            for index in group.indices { statements.store(Rows(execution, at: index), for: group[index]) }
            return nil
        }
        do throws(DatabaseError) {
            var found: [Int64] = []
            found.reserveCapacity(execution.count)
            for row in 0..<execution.count { found.append(try Rows(execution)[row].int64(0)) }
            // The rows may come in any order; with an index they come in the order of the keys.
            for id in group where statements.contains(id) {
                statements.store(Rows(execution, at: found.firstIndex(of: statements[id].key)), for: id)
            }
            return nil
        } catch {
            return error
        }
    }
}

extension Result where Failure == DatabaseError {
    /// The error, if it makes the connection unusable.
    fileprivate var loss: DatabaseError? {
        if case .failure(let error) = self, error.retiresConnection { error } else { nil }
    }
}
