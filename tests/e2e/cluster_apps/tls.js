// https with key.pem and certificate.pem of its directory of work.
'use strict';
const fs = require('fs');
require('https').createServer({key: fs.readFileSync('key.pem'), cert: fs.readFileSync('certificate.pem')},
                              require('./answer')).listen(process.env.PORT);
