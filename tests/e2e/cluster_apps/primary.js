// Node's own cluster, of one worker: node primary.js <script> [arguments of the worker...]
'use strict';
const cluster = require('cluster');
cluster.setupPrimary({exec: process.argv[2], args: process.argv.slice(3)});
cluster.fork({NODE_APP_INSTANCE: '0'});
