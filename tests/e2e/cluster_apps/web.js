// The plainest of servers. It knows nothing of clusters, signals and messages.
'use strict';
require('http').createServer(require('./answer')).listen(process.env.PORT);
