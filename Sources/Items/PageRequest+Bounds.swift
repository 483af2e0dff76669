import Postgres

extension PageRequest {
    /// The positions between which a page's items are: in lists by id the smallest and the largest id, both included; in
    /// lists by time the smallest and the largest time and id, both excluded.
    var bounds: [Parameter] {
        let isAscending = direction == .ascending
        guard let filter = list.filter, filter.isByTime else {
            guard let cursor else { return [.int64(.min), .int64(.max)] }
            // Behind the last possible id there is nothing.
            let (first, isPastEnd) = cursor.id.addingReportingOverflow(isAscending ? 1 : -1)
            if isPastEnd { return [.int64(.max), .int64(.min)] }
            return isAscending ? [.int64(first), .int64(.max)] : [.int64(.min), .int64(first)]
        }
        // Infinite times are the ends of PostgreSQL's count.
        var lower = [filter.createdAfter?.parameter ?? .int64(.min), .int64(filter.createdAfter == nil ? .min : .max)]
        var upper = [
            filter.createdBefore?.parameter ?? .int64(.max), .int64(filter.createdBefore == nil ? .max : .min),
        ]
        if let cursor, let createdAt = cursor.createdAt {
            let position = [Parameter.int64(createdAt), .int64(cursor.id)]
            if isAscending { lower = position } else { upper = position }
        }
        return lower + upper
    }

    /// Which of a list's ids may be on the page, and one more.
    static func ids(of ids: [Int64], for request: PageRequest) -> [Int64] {
        let isAscending = request.direction == .ascending
        let ordered = isAscending ? ids : ids.reversed()
        guard let cursor = request.cursor else { return ordered }
        return ordered.filter { isAscending ? $0 > cursor.id : $0 < cursor.id }
    }
}
