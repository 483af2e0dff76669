import CPostgres

// Sending statements.
extension Connection {
    /// Sends statements: neighbours that may share a transaction share one Sync, the others have their own.
    ///
    /// - Returns: nil if libpq took all of them; otherwise the connection is broken, and this many at the end were
    ///   certainly not sent.
    func send(_ batch: [PoolState.Request], of statements: StatementTable) -> Int? {
        var position = 0
        while position < batch.count {
            let end = endOfGroup(from: position, in: batch, of: statements)
            let isSent =
                if end - position == 1 {
                    send(batch[position].id, of: statements)
                } else {
                    send(group: batch[position..<end].map(\.id), of: statements)
                }
            guard isSent else { return batch.count - position }
            position = end
            if end == batch.count || batch[end - 1].isApart(from: batch[end]) {
                // Also sends what libpq has buffered, as far as the socket takes it.
                guard unsafe PQpipelineSync(handle.pointer) == 1 else { return batch.count - end }
                expected.append(.sync)
            }
        }
        return nil
    }

    /// The end of the statements that can be merged with the one at `start`.
    private func endOfGroup(
        from start: Int, in batch: [PoolState.Request], of statements: StatementTable
    ) -> Int {
        var end = start + 1
        guard end < batch.count, !batch[start].isAlone, statements[batch[start].id].mayBeGrouped else { return end }
        let statement = statements[batch[start].id].statement
        while end < batch.count, end - start < Self.groupLimit, statements[batch[end].id].statement === statement,
            !batch[end].isAlone, statements[batch[end].id].mayBeGrouped
        {
            end += 1
        }
        return end
    }

    private func send(_ id: PoolState.Request.ID, of statements: StatementTable) -> Bool {
        let statement = statements[id].statement
        guard send(statement, statements[id].arguments.parameters) else { return false }
        expected.append(.answer(statement, id))
        return true
    }

    /// Sends statements that differ only in their parameters as one.
    private func send(group: [PoolState.Request.ID], of statements: StatementTable) -> Bool {
        let statement = statements[group[0]].statement
        guard let many = statement.many else { fatalError("\(statement.name) runs alone") }
        guard send(many, Arguments.joined(group, of: statements)) else { return false }
        expected.append(.group(statement, group))
        return true
    }

    private func send(_ statement: Statement, _ parameters: [Parameter]) -> Bool {
        if isPrepared(statement) {
            unsafe sendParameters(parameters) { count, values, lengths, formats in
                unsafe PQsendQueryPrepared(handle.pointer, statement.name, count, values, lengths, formats, 1)
            }
        } else {
            unsafe sendParameters(parameters) { count, values, lengths, formats in
                unsafe PQsendQueryParams(handle.pointer, statement.sql, count, nil, values, lengths, formats, 1)
            }
        }
    }

    /// Lends the parameters' bytes to libpq for one call, which copies them.
    private func sendParameters(
        _ parameters: [Parameter],
        _ body: (Int32, UnsafePointer<UnsafePointer<CChar>?>, UnsafePointer<Int32>, UnsafePointer<Int32>) -> Int32
    ) -> Bool {
        scratch.removeAll(keepingCapacity: true)
        let count = parameters.count
        // At least one slot: an empty allocation has no address to pass.
        let capacity = max(count, 1)
        return unsafe withUnsafeTemporaryAllocation(of: Int32.self, capacity: 2 * capacity) { numbers in
            let lengths = numbers.baseAddress!
            let formats = unsafe lengths + capacity
            for index in parameters.indices {
                let start = scratch.count
                parameters[index].append(to: &scratch)
                let length = parameters[index].isNull ? -1 : Int32(scratch.count - start)
                unsafe (lengths + index).initialize(to: length)
                unsafe (formats + index).initialize(to: 1)
            }
            // An empty text needs an address too: NULL would mean null.
            scratch.append(0)
            return unsafe scratch.withUnsafeBytes { bytes in
                unsafe withUnsafeTemporaryAllocation(of: UnsafePointer<CChar>?.self, capacity: capacity) { values in
                    var offset = 0
                    for index in 0..<count {
                        let length = unsafe Int(lengths[index])
                        let start = unsafe bytes.baseAddress!.advanced(by: offset).assumingMemoryBound(to: CChar.self)
                        unsafe (values.baseAddress! + index).initialize(to: length < 0 ? nil : start)
                        offset += max(length, 0)
                    }
                    return unsafe body(Int32(count), values.baseAddress!, lengths, formats) == 1
                }
            }
        }
    }
}
